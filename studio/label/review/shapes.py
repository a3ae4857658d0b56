"""What the review verbs hand back: plain values, safe to keep after the transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from storage.tables import ReviewSession


@dataclass(frozen=True)
class AgendaLine:
    """One example worth deciding, and why. `choices` hold `output` and `by` (who stands by it)."""

    example_id: str
    label_item_id: str | None
    reason: str
    value: float
    choices: list[dict[str, Any]]


@dataclass(frozen=True)
class Place:
    """Where a person was when they left: the item's position, and the newest of their events that was carried out."""

    position: int
    acked: int


@dataclass(frozen=True)
class Ballot:
    """One person's vote on an item; `choice` counts from 0."""

    person: str
    choice: int | None
    output: str | None
    wish: str
    comment: str


@dataclass(frozen=True)
class Line:
    """One item of the agenda as a person may see it now.

    `votes` are empty until they are revealed; `voted` says only who is in. `decision` holds verdict, output, keep,
    rule, note and, where a rule was added, guideline (task_id, version).
    """

    item_id: str
    position: int
    reason: str
    state: str
    voted: list[str]
    my_vote: Ballot | None
    votes: list[Ballot]
    decision: dict[str, Any]
    decided_by: str
    revision: int


@dataclass(frozen=True)
class Room:
    """Everything that changes while people are in a session; the same `revision` and `present` look the same."""

    session: ReviewSession
    present: list[tuple[str, int]]
    """(person, position) of everybody seen in the last 15 seconds."""
    lines: list[Line]
    revision: int


@dataclass(frozen=True)
class Card:
    """One item's content. The `by` of its choices is empty until votes are revealed."""

    item_id: str
    position: int
    messages: list[tuple[str, str]]
    """(role, text) of the prompt."""
    shown: str
    """The answer the dataset holds now."""
    choices: list[dict[str, Any]]
    """`output` and `by`, in an order that tells nothing."""
    reason: str
    state: str
    revision: int
    split: str
    """train or golden, as it is now."""


@dataclass(frozen=True)
class Problem:
    """An event that was refused, and why; it counts as carried out, so that it is not sent again."""

    seq: int
    item_id: str
    message: str


@dataclass(frozen=True)
class Acked:
    """What became of a batch: the newest event carried out, and those refused."""

    acked: int
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True)
class Decided:
    """One row of the minutes."""

    position: int
    example_id: str
    prompt: str
    output: str
    verdict: str
    reason: str
    decided_by: str
    for_it: int
    """People whose vote was this output."""
    votes: int
    """People who voted for an answer."""
    note: str
    moved_from: str
    """The split it was in before, where the decision moved it."""
    frozen_in: list[int] = field(default_factory=list)
    """Versions whose training rows held it before it moved to golden: models trained on them have seen it."""


@dataclass(frozen=True)
class ChangedGuideline:
    """A rule that people agreed on; `task` is empty where the session has no task to add it to."""

    task: str
    version: int | None
    rule: str
    decided_by: str


@dataclass(frozen=True)
class Minutes:
    """What came out of a session."""

    title: str
    dataset: str
    state: str
    chair: str
    people: list[str]
    started: str
    closed: str
    items: int
    undecided: int
    to_training: list[Decided]
    to_golden: list[Decided]
    dropped: list[Decided]
    open_questions: list[Decided]
    guidelines: list[ChangedGuideline]
    agreement_before: list[dict[str, Any]]
    agreement_after: list[dict[str, Any]]
    """Each with question, percent, n and, where defined, value, low, high and measure."""
    minutes_spent: float
    seconds_per_item: float | None

"""The port of labeling: what we send to a labeling platform, and what we read back from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class QuestionKind(StrEnum):
    """How a question is answered."""

    LABEL = "label"
    MULTI_LABEL = "multi_label"
    RATING = "rating"
    RANKING = "ranking"
    SPAN = "span"
    TEXT = "text"


@dataclass(frozen=True)
class Question:
    """One question about every item.

    `options` are the labels, the answers to rank, or the kinds of span; a rating chooses among `ratings`. Values come
    back as: label str; multi_label list of str; rating int; ranking list of {"value": option, "rank": 1..} with ties
    kept; span list of {"start", "end", "label"} in characters of the answer; text str.
    """

    name: str
    title: str
    kind: QuestionKind
    options: tuple[str, ...] = ()
    description: str = ""
    required: bool = True
    ratings: tuple[int, ...] = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Teammate:
    """A person who answers; an administrator may also manage the platform's tasks."""

    username: str
    is_admin: bool = False


@dataclass(frozen=True)
class TaskSpec:
    """A task as a platform sees it. `key` names it for good, so that sending it twice makes one task."""

    key: str
    workspace: str
    guidelines: str
    questions: tuple[Question, ...]
    answers_per_item: int
    people: tuple[Teammate, ...] = ()
    answers_shown: tuple[str, ...] = ()
    """Names of several answers shown side by side (A, B, C); empty where each item shows its one answer."""


@dataclass(frozen=True)
class Item:
    """One thing to judge: the conversation, the answer it got, and what to fill in beforehand."""

    key: str
    messages: list[dict[str, str]]
    answer: str
    suggestions: dict[str, Any] = field(default_factory=dict)
    suggested_by: str = ""
    """Name of the model whose output the suggestions are."""
    scores: dict[str, float] = field(default_factory=dict)
    """How sure it was of a suggestion, 0..1, by question."""
    answers: dict[str, str] = field(default_factory=dict)
    """The texts of `TaskSpec.answers_shown`, by name; never the model's name."""
    asked: tuple[str, ...] = ()
    """Usernames whose queue holds the item; empty means everybody's."""
    facts: dict[str, str] = field(default_factory=dict)
    """What people may filter by: split, model, why it was chosen."""


@dataclass(frozen=True)
class Published:
    """The platform's own ids: of the task, and of each item by its key."""

    ref: str
    records: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """What one person said about one item; status is submitted, draft or discarded."""

    item_key: str
    annotator: str
    status: str
    values: dict[str, Any]
    updated_at: datetime
    inserted_at: datetime | None = None


@dataclass(frozen=True)
class Health:
    """Whether the platform answers, in words for the page."""

    ok: bool
    text: str


class AnswerExchange(Protocol):
    """Sends tasks out and brings answers back."""

    def publish(self, spec: TaskSpec, items: Iterable[Item], on_sent: Callable[[int], None]) -> Published:
        """Make the task and add the items in batches; calling it again adds only what is missing."""
        ...

    def answers(self, ref: str, since: datetime | None = None) -> Iterator[Answer]:
        """Every answer so far; with `since`, those that did not change after it may be left out.

        Raises NotFound for an unknown task.
        """
        ...

    def forget(self, ref: str, record_ids: list[str]) -> int:
        """Delete these records with everybody's answers; how many. Raises NotFound for an unknown task."""
        ...

    def set_guidelines(self, ref: str, text: str) -> None:
        """Show people this text; also how a task tells them that it is paused or closed."""
        ...


class FrontDoor(Protocol):
    """Lets people in."""

    def enter_url(self, teammate: Teammate, workspace: str, ref: str) -> str:
        """Where the person answers the task; signed in where the platform shares our key."""
        ...

    def answer_as(self, ref: str, username: str, answers: Mapping[str, dict[str, Any]]) -> int:
        """Submit answers (item key → question → value) in a person's name, for sample projects; returns how many."""
        ...

    def health(self) -> Health:
        """Whether the platform answers; never raises."""
        ...


class LabelingBackend(AnswerExchange, FrontDoor, Protocol):
    """A labeling platform."""

"""The draft of a labeling task: everything an editor chooses, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from storage.tables import Example
from studio.errors import InvalidInput

LARGEST = 20_000
MOST_ANSWERS = 10
MOST_GOLD = 50
ANYBODY, SPLIT = "anybody", "split"
ASSIGNMENTS = {
    ANYBODY: "Anybody of the chosen people takes the next example until it has enough answers",
    SPLIT: "Every example is given to certain people, so that each does their share",
}


@dataclass(frozen=True)
class TaskDraft:
    """A task as an editor chooses it. Without people and teams, everybody who may label is asked."""

    dataset_id: str
    name: str
    template: str = "verdict"
    size: int = 60
    answers_per_item: int = 2
    people: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    """Username → weight, for `split`; people without one weigh 1."""
    assignment: str = ANYBODY
    guidelines: str = ""
    """Markdown; empty takes the template's."""
    sample: str = "golden_first"
    sample_by: str = ""
    """What the sample goes by: the tag to stratify by, the models to compare."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The template's own choices: labels, criteria, questions."""
    gold_percent: int = 0
    """Share of the task that are verified examples with known answers, mixed in to measure people."""
    deadline: datetime | None = None
    seed: int = 0
    examples: tuple[str, ...] = ()
    """Examples chosen by hand; where there are any, no sample is drawn."""


@dataclass(frozen=True)
class PreviewItem:
    """One example that would be sent, why, and to whom; empty `asked` means anybody of the task."""

    example: Example
    reason: str = ""
    shown_output: str = ""
    asked: tuple[str, ...] = ()
    gold: bool = False
    candidates: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Preview:
    """What `create` would send now: the first items, how many there are, and what an editor should know."""

    items: list[PreviewItem]
    total: int = 0
    notes: list[str] = field(default_factory=list)


def check_draft(draft: TaskDraft) -> None:
    """Raises InvalidInput for what cannot work whatever the dataset holds."""
    if not draft.name.strip() or len(draft.name.strip()) > 120:
        raise InvalidInput("Give the task a name of 1 to 120 characters.")
    if not 1 <= draft.size <= LARGEST:
        raise InvalidInput(f"Send between 1 and {LARGEST:,} examples at once.")
    if not 1 <= draft.answers_per_item <= MOST_ANSWERS:
        raise InvalidInput(f"Ask for 1 to {MOST_ANSWERS} answers per example.")
    if draft.assignment not in ASSIGNMENTS:
        raise InvalidInput(f"There is no assignment {draft.assignment!r}. Choose one of: {', '.join(ASSIGNMENTS)}.")
    if not 0 <= draft.gold_percent <= MOST_GOLD:
        raise InvalidInput(f"Gold questions can be 0 to {MOST_GOLD} percent of a task.")
    if any(weight <= 0 for weight in draft.shares.values()):
        raise InvalidInput("A person's share must be more than zero. Leave people out of the task instead.")

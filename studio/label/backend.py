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
    RATING = "rating"
    TEXT = "text"


@dataclass(frozen=True)
class Question:
    """One question about every item. `options` are the labels; a rating goes from 1 to 5."""

    name: str
    title: str
    kind: QuestionKind
    options: tuple[str, ...] = ()
    description: str = ""
    required: bool = True


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


@dataclass(frozen=True)
class Item:
    """One thing to judge: the conversation, the answer it got, and what to fill in beforehand."""

    key: str
    messages: list[dict[str, str]]
    answer: str
    suggestions: dict[str, Any] = field(default_factory=dict)


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
        """Every answer so far; nothing when nobody was active after `since`. Raises NotFound for an unknown task."""
        ...

    def close(self, ref: str) -> None:
        """Tell people that their answers are no longer collected."""
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

"""How far a task is, from our own copy of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import Session

from storage.repositories.labels import AnnotationRepository, LabelItemRepository, ResolutionRepository
from storage.tables import LabelTask


@dataclass(frozen=True)
class Answered:
    """How far one person is."""

    submitted: int = 0
    drafts: int = 0
    discarded: int = 0


@dataclass(frozen=True)
class Progress:
    """How far a task is. An item is complete with as many submitted answers as the task asks for."""

    items: int
    complete: int
    per_person: dict[str, Answered] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    """Resolutions so far: confirmed, corrected, disputed, left_out."""


def progress_of(session: Session, task: LabelTask) -> Progress:
    """The task's counts."""
    annotations = AnnotationRepository(session)
    return Progress(
        items=LabelItemRepository(session).count(task_id=task.id),
        complete=annotations.complete_items(task.id, task.answers_per_item),
        per_person=_per_person(task, annotations.tally(task.id)),
        verdicts=ResolutionRepository(session).verdicts(task.id),
    )


def _per_person(task: LabelTask, tally: Sequence[tuple[str, str, int]]) -> dict[str, Answered]:
    counts: dict[str, dict[str, int]] = {name: {} for name in task.assignees}
    for annotator, status, count in tally:
        counts.setdefault(annotator, {})[status] = count
    return {
        name: Answered(found.get("submitted", 0), found.get("draft", 0), found.get("discarded", 0))
        for name, found in counts.items()
    }

"""How far a task is, from our own copy of the answers."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from storage.repositories.labels import AnnotationRepository, LabelItemRepository, ResolutionRepository
from storage.tables import LabelTask
from storage.types import now
from studio.label.losing import trouble


@dataclass(frozen=True)
class Answered:
    """How far one person is."""

    submitted: int = 0
    drafts: int = 0
    discarded: int = 0
    assigned: int = 0
    """Examples that may reach them: their own where the task is split, else all."""
    median_seconds: float | None = None
    last_answer: datetime | None = None


@dataclass(frozen=True)
class Progress:
    """How far a task is. An item is complete with as many submitted answers as the task asks for."""

    items: int
    complete: int
    per_person: dict[str, Answered] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    """Resolutions so far: confirmed, corrected, disputed, left_out."""
    overdue: bool = False
    trouble: str = ""
    """What is wrong with the task on the platform, in a sentence."""


def progress_of(session: Session, task: LabelTask) -> Progress:
    """The task's counts."""
    items = LabelItemRepository(session).count(task_id=task.id)
    return Progress(
        items=items,
        complete=AnnotationRepository(session).complete_items(task.id, task.answers_per_item),
        per_person=_per_person(session, task, items),
        verdicts=ResolutionRepository(session).verdicts(task.id),
        overdue=is_overdue(task),
        trouble=trouble(task),
    )


def is_overdue(task: LabelTask) -> bool:
    """Whether the deadline passed and the task is not closed."""
    return task.deadline is not None and task.state != "closed" and task.deadline < now()


def _per_person(session: Session, task: LabelTask, items: int) -> dict[str, Answered]:
    annotations = AnnotationRepository(session)
    counts: dict[str, dict[str, int]] = {name: {} for name in task.assignees}
    for annotator, status, count in annotations.tally(task.id):
        counts.setdefault(annotator, {})[status] = count
    assigned = task.assignment.get("assigned") or {}
    seconds, last = annotations.seconds(task.id), annotations.last_answers(task.id)
    return {
        name: Answered(
            found.get("submitted", 0),
            found.get("draft", 0),
            found.get("discarded", 0),
            assigned=int(assigned.get(name, 0)) if assigned else items,
            median_seconds=statistics.median(seconds[name]) if name in seconds else None,
            last_answer=last.get(name),
        )
        for name, found in counts.items()
    }

"""Bringing answers back: the platform is asked again and again, so a lost webhook loses nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from storage.database import Database
from storage.repositories.labels import AnnotationRepository, LabelItemRepository, LabelTaskRepository
from storage.tables import Annotation, LabelTask
from storage.types import now
from studio.label.backend import Answer, LabelingBackend
from studio.label.publishing import found_task


@dataclass(frozen=True)
class Collected:
    """What a look at the platform brought."""

    new: int = 0
    changed: int = 0


def collect(database: Database, backend: LabelingBackend, task_id: str, *, everything: bool = True) -> Collected:
    """Make our copy of the task's answers equal to the platform's; repeating it changes nothing.

    Without `everything`, a task that nobody touched since the last look is left alone.
    """
    started = now()
    with database.read() as session:
        task = found_task(session, task_id)
    if not task.backend_ref:
        return Collected()
    answers = list(backend.answers(task.backend_ref, None if everything else task.collected_at))
    with database.write() as session:
        done = _take_in(session, task, answers)
        stored = found_task(session, task_id)
        stored.collected_at = started
        session.add(stored)
    return done


def open_tasks(database: Database) -> Sequence[LabelTask]:
    """Tasks whose answers are still collected."""
    with database.read() as session:
        return LabelTaskRepository(session).find(state="open")


def _take_in(session: Session, task: LabelTask, answers: Iterable[Answer]) -> Collected:
    annotations = AnnotationRepository(session)
    known = {(row.item_id, row.annotator): row for row in annotations.of_task(task.id)}
    ours = {item.id for item in LabelItemRepository(session).of_task(task.id)}
    new = changed = 0
    for answer in answers:
        row = known.get((answer.item_key, answer.annotator))
        if answer.item_key not in ours:
            continue
        if row is None:
            annotations.add(_annotation(task, answer))
            new += 1
        else:
            changed += _update(row, answer, task.guideline_version)
    return Collected(new, changed)


def _annotation(task: LabelTask, answer: Answer) -> Annotation:
    return Annotation(
        task_id=task.id,
        item_id=answer.item_key,
        annotator=answer.annotator,
        status=answer.status,
        answers=answer.values,
        guideline_version=task.guideline_version,
        answered_at=answer.updated_at,
    )


def _update(row: Annotation, answer: Answer, guideline_version: int) -> bool:
    if (row.status, row.answers) == (answer.status, answer.values):
        return False
    row.status, row.answers = answer.status, answer.values
    row.answered_at, row.guideline_version = answer.updated_at, guideline_version
    return True

"""Bringing answers back: the platform is asked again and again, so a lost webhook loses nothing."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlmodel import Session

from storage.database import Database
from storage.repositories.labels import (
    AnnotationRepository,
    GuidelineRepository,
    LabelItemRepository,
    LabelTaskRepository,
)
from storage.tables import Annotation, LabelItem, LabelTask
from storage.types import now
from studio.label.backend import Answer, LabelingBackend
from studio.label.items import order_of
from studio.label.publishing import found_task
from studio.label.shuffle import as_candidates, item_and_person
from studio.label.templates.compare import RANKING

SUBMITTED = "submitted"
LONGEST_S = 600.0
"""A longer gap between two answers of a person is a break, not work."""


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


def _take_in(session: Session, task: LabelTask, answers: Sequence[Answer]) -> Collected:
    told = sorted(_ours(session, task, answers), key=lambda each: each.updated_at)
    annotations = AnnotationRepository(session)
    rows = annotations.of_items({answer.item_key for answer in told}, status=None)
    known = {(row.item_id, row.annotator): row for given in rows.values() for row in given}
    pace = Pace(annotations.moments(task.id, {answer.annotator for answer in told}))
    versions = _Versions(session, task)
    new = changed = 0
    for answer in told:
        row = known.get((answer.item_key, answer.annotator))
        if row is None:
            session.add(_annotation(task, answer, pace.seconds(answer), versions.at(answer.updated_at)))
            new += 1
        else:
            changed += _update(row, answer, pace, versions)
    session.flush()
    return Collected(new, changed)


def _ours(session: Session, task: LabelTask, answers: Sequence[Answer]) -> list[Answer]:
    """Answers to this task's items by people with a name, keyed by item and told as stored.

    Whoever answered an item in another person's queue and in their own is read by their own.
    """
    keys = {answer.item_key: item_and_person(answer.item_key) for answer in answers}
    items = LabelItemRepository(session).by_ids(task.id, {item_id for item_id, _username in keys.values()})
    found: dict[tuple[str, str], tuple[bool, Answer]] = {}
    for answer in answers:
        item_id, username = keys[answer.item_key]
        if item_id not in items or not answer.annotator:
            continue
        own = username in ("", answer.annotator)
        key = (item_id, answer.annotator)
        if own or key not in found or not found[key][0]:
            found[key] = own, _as_stored(task, items[item_id], answer, username)
    return [answer for _own, answer in found.values()]


def _as_stored(task: LabelTask, item: LabelItem, answer: Answer, username: str) -> Answer:
    """The answer under its item, with rankings of shown names told in candidates."""
    values = {name: value for name, value in answer.values.items() if value is not None}
    if username:
        order = order_of(task, item, username)
        values = {name: as_candidates(value, order) if name == RANKING else value for name, value in values.items()}
    return replace(answer, item_key=item.id, values=values)


def _annotation(task: LabelTask, answer: Answer, seconds: float | None, version: int) -> Annotation:
    return Annotation(
        task_id=task.id,
        item_id=answer.item_key,
        annotator=answer.annotator,
        status=answer.status,
        answers=answer.values,
        guideline_version=version,
        answered_at=answer.updated_at,
        seconds=seconds,
    )


def _update(row: Annotation, answer: Answer, pace: Pace, versions: _Versions) -> bool:
    if (row.status, row.answers) == (answer.status, answer.values):
        return False
    if row.status != SUBMITTED:  # time is told for the first submission; a later change says nothing about it
        row.seconds = pace.seconds(answer)
    row.status, row.answers = answer.status, answer.values
    row.answered_at, row.guideline_version = answer.updated_at, versions.at(answer.updated_at)
    return True


class Pace:
    """How long people take: the time since the same person's submission before, unless they were away."""

    def __init__(self, moments: dict[str, list[datetime]]) -> None:
        self.moments = moments

    def seconds(self, answer: Answer) -> float | None:
        """Estimated time spent on a submitted answer; None for a person's first, and after a break."""
        if answer.status != SUBMITTED:
            return None
        at, moments = _utc(answer.updated_at), self.moments.setdefault(answer.annotator, [])
        place = bisect_left(moments, at)
        gap = (at - moments[place - 1]).total_seconds() if place else None
        moments.insert(place, at)
        return gap if gap is not None and gap <= LONGEST_S else None


class _Versions:
    """Which version of the guidelines an answer was given under."""

    def __init__(self, session: Session, task: LabelTask) -> None:
        rows = GuidelineRepository(session).of_task(task.id)
        self.current = task.guideline_version
        self.since = sorted((_utc(row.created_at), row.version) for row in rows)

    def at(self, moment: datetime) -> int:
        """The newest version of that time."""
        before = [version for since, version in self.since if since <= _utc(moment)]
        if before:
            return before[-1]
        return self.since[0][1] if self.since else self.current


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

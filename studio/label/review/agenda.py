"""The agenda: what is worth deciding most, as much as fits the time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

from sqlmodel import Session

from storage.repositories.labels import AnnotationRepository
from storage.repositories.reviews import AgendaRepository, ReviewItemRepository
from storage.tables import LabelTask
from studio.errors import InvalidInput
from studio.label.review.choices import choices_of
from studio.label.review.shapes import AgendaLine
from studio.label.review.topics import new_topics
from studio.label.review.worth import Find, complaints, human_conflicts, judge_conflicts, merged, open_disputes

SECONDS_PER_ITEM = 45.0
LONGEST_MINUTES = 240
MOST_ITEMS = 300
ENOUGH = 10
"""Decisions from which a project's own pace is known."""
PAUSE_S = 600
"""A gap this long between two decisions was a break."""
REASON = 400

Finder = Callable[[Session, str, str, Mapping[str, Any], int], Iterable[Find]]


def _of_task(
    session: Session, project_id: str, dataset_id: str, source: Mapping[str, Any], most: int
) -> Iterable[Find]:
    task_id = str(source.get("task_id") or "")
    if session.get(LabelTask, task_id) is None:
        raise InvalidInput("Choose the labeling task to review.")
    return human_conflicts(session, task_id)


def _by_value(
    session: Session, project_id: str, dataset_id: str, source: Mapping[str, Any], most: int
) -> Iterable[Find]:
    for task_id in AgendaRepository(session).dataset_tasks(dataset_id):
        yield from human_conflicts(session, task_id)
    yield from judge_conflicts(session, dataset_id)
    yield from complaints(session, project_id, dataset_id)
    yield from new_topics(session, dataset_id, most)


SOURCES: dict[str, Finder] = {
    "value": _by_value,
    "task": _of_task,
    "disputes": lambda session, project_id, _dataset, _source, _most: open_disputes(session, project_id),
    "conflicts": lambda session, _project, dataset_id, _source, _most: judge_conflicts(session, dataset_id),
    "feedback": lambda session, project_id, dataset_id, _source, _most: complaints(session, project_id, dataset_id),
    "topics": lambda session, _project, dataset_id, _source, most: new_topics(session, dataset_id, most),
}
"""Where an agenda may come from; `value` takes everything, the most valuable first."""


def agenda(
    session: Session, project_id: str, dataset_id: str, source: Mapping[str, Any], minutes: int
) -> list[AgendaLine]:
    """The lines of an agenda of this length, the most valuable first; what waits in an open session is left to it."""
    kind = str(source.get("kind") or "")
    if kind not in SOURCES:
        raise InvalidInput(f"An agenda comes from one of: {', '.join(SOURCES)}.")
    if not 1 <= minutes <= LONGEST_MINUTES:
        raise InvalidInput(f"Plan between 1 and {LONGEST_MINUTES} minutes.")
    items = ReviewItemRepository(session)
    most = min(MOST_ITEMS, max(1, int(minutes * 60 / pace(items.decided_at(project_id)))))
    busy = items.busy(project_id)
    found = SOURCES[kind](session, project_id, dataset_id, source, most)
    chosen = merged([each for each in found if each.example.id not in busy])[:most]
    return _lines(session, chosen)


def pace(decisions: Sequence[tuple[str, datetime]]) -> float:
    """Seconds per item: the median time between two decisions of a session, once there are enough of them."""
    gaps = gaps_of(decisions)
    return max(5.0, median(gaps)) if len(gaps) >= ENOUGH else SECONDS_PER_ITEM


def gaps_of(decisions: Sequence[tuple[str, datetime]]) -> list[float]:
    """Seconds between decisions that follow each other in a session, breaks left out."""
    by_session: dict[str, list[datetime]] = defaultdict(list)
    for session_id, moment in decisions:
        by_session[session_id].append(moment)
    gaps = []
    for moments in by_session.values():
        ordered = sorted(moments)
        gaps += [(late - early).total_seconds() for early, late in pairwise(ordered)]
    return [gap for gap in gaps if gap < PAUSE_S]


def _lines(session: Session, finds: Sequence[Find]) -> list[AgendaLine]:
    items = {each.item.id: each.item for each in finds if each.item}
    answers = AnnotationRepository(session).of_items(list(items))
    logs = [each.example.log_entry_id for each in finds if each.example.log_entry_id is not None]
    entries = AgendaRepository(session).entries(logs)
    lines = []
    for each in finds:
        task = session.get(LabelTask, each.item.task_id) if each.item else None
        given = answers.get(each.item.id, []) if each.item else []
        entry = entries.get(each.example.log_entry_id or -1)
        choices = choices_of(each.example, each.item, task, given, entry, each.others)
        label_item_id = each.item.id if each.item else None
        lines.append(AgendaLine(each.example.id, label_item_id, each.reason[:REASON], round(each.value, 3), choices))
    return lines

"""A task that the platform no longer has: somebody deleted it there, or the studio points at another platform.

Our own copy of the answers is the truth, so nothing is lost; what lacks answers can be sent again.
"""

from __future__ import annotations

import logging

from sqlmodel import Session

from storage.database import Database
from storage.repositories.labels import AnnotationRepository, LabelItemRepository
from storage.tables import LabelTask
from studio.label.publishing import found_task

log = logging.getLogger(__name__)


def trouble(task: LabelTask) -> str:
    """What is wrong with the task on the platform, in a sentence; empty when nothing is known to be."""
    return str(task.spec.get("trouble") or "")


def mark_lost(database: Database, task_id: str) -> str:
    """Write on the task that the platform lost it; returns the sentence."""
    with database.read() as session:
        task = found_task(session, task_id)
        answers = AnnotationRepository(session).count(task_id=task_id)
    if trouble(task):
        return trouble(task)
    said = (
        "The labeling platform no longer has this task: somebody deleted it there, or the studio now uses another "
        f"platform. The {answers:,} answers collected so far are safe here. Send the task again to go on."
    )
    log.warning("task %s: %s", task_id, said)
    with database.write() as session:
        task = found_task(session, task_id)
        task.spec = {**task.spec, "trouble": said}
    return said


def mark_found(database: Database, task: LabelTask) -> None:
    """The platform has the task after all: the studio points at the right one again."""
    if trouble(task):
        with database.write() as session:
            stored = found_task(session, task.id)
            stored.spec = {**stored.spec, "trouble": ""}


def forget_platform(session: Session, task: LabelTask) -> int:
    """Make the task ready to be sent again; returns how many items lack answers."""
    items = LabelItemRepository(session)
    done = AnnotationRepository(session).complete_items(task.id, task.answers_per_item)
    task.spec = {**task.spec, "trouble": "", "told": "", "sent_again": int(task.spec.get("sent_again") or 0) + 1}
    task.backend_ref = ""
    task.state = "publishing"
    session.add(task)
    return items.count(task_id=task.id) - done

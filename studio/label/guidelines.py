"""Guidelines: their versions, and the text that people are shown with them (deadline, paused, closed)."""

from __future__ import annotations

import hashlib

from sqlmodel import Session

from storage.repositories.labels import GuidelineRepository
from storage.tables import Guideline, LabelTask
from studio.errors import InvalidInput

LONGEST = 20_000
NOTES = {
    "closed": "**This task is closed: answers given from now on are not collected.**",
    "paused": "**This task is paused. Please wait until it goes on.**",
}


def shown_guidelines(task: LabelTask) -> str:
    """What the platform shows: whether the task goes on, until when, and the guidelines."""
    due = f"**Please answer until {task.deadline:%d %B %Y, %H:%M} UTC.**" if task.deadline else ""
    note = NOTES.get(task.state, due)
    return "\n\n".join(part for part in (note, task.guidelines) if part)


def add_version(session: Session, task: LabelTask, text: str, changed_by: str) -> Guideline:
    """The next version of the task's guidelines; answers given from now on carry it."""
    if not text.strip():
        raise InvalidInput("The guidelines are empty. Say at least what makes an answer right.")
    if len(text) > LONGEST:
        raise InvalidInput(f"The guidelines are longer than {LONGEST:,} characters. Nobody reads that much.")
    guidelines = GuidelineRepository(session)
    if not guidelines.of_task(task.id):
        guidelines.add(first_version(task))
    task.guidelines, task.guideline_version = text.strip(), task.guideline_version + 1
    session.add(task)
    made = Guideline(task_id=task.id, version=task.guideline_version, text=task.guidelines, changed_by=changed_by)
    return guidelines.add(made)


def first_version(task: LabelTask) -> Guideline:
    """The guidelines as the task was made with."""
    text, by = task.guidelines, task.created_by
    return Guideline(
        task_id=task.id, version=task.guideline_version, text=text, changed_by=by, created_at=task.created_at
    )


def versions(session: Session, task: LabelTask) -> list[Guideline]:
    """Every version, newest first."""
    return GuidelineRepository(session).of_task(task.id) or [first_version(task)]


def fingerprint(text: str) -> str:
    """A short name for a text, to tell whether the platform was told it."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def must_be_told(task: LabelTask) -> bool:
    """Whether the platform shows something else than it should."""
    return task.spec.get("told") != fingerprint(shown_guidelines(task))


def mark_told(task: LabelTask) -> None:
    """Remember that the platform shows the present text."""
    task.spec = {**task.spec, "told": fingerprint(shown_guidelines(task))}

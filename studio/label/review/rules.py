"""A rule that people agree on becomes part of the task's guidelines, as a new version of them."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from storage.repositories.reviews import OutcomeRepository
from storage.tables import LabelItem, LabelTask, ReviewItem, ReviewSession
from studio.label.guidelines import add_version

HEADING = "**Decided in review**"


def add_rule(session: Session, review: ReviewSession, item: ReviewItem, rule: str, person: str) -> dict[str, Any]:
    """Add the rule to the guidelines of the session's task; returns what taking it back needs. Empty without a task."""
    task = _task_of(session, review, item)
    if task is None:
        return {}
    before, line = task.guidelines, "- " + rule.strip().replace("\n", "\n  ")
    glue = "\n" if HEADING in before else f"\n\n{HEADING}\n\n"
    made = add_version(session, task, f"{before.rstrip()}{glue}{line}".strip(), person)
    return {"task_id": task.id, "task": task.name, "version": made.version, "before": before, "line": line}


def take_rule_back(session: Session, kept: dict[str, Any], person: str) -> None:
    """Restore the guidelines. Where people answered under them already, or they went on, a new version says so."""
    task = session.get(LabelTask, kept.get("task_id", ""))
    if task is None:
        return
    outcomes, version = OutcomeRepository(session), int(kept["version"])
    made = outcomes.guideline(task.id, version)
    if made and task.guideline_version == version and not outcomes.answered_under(task.id, version):
        session.delete(made)
        task.guidelines, task.guideline_version = kept["before"], version - 1
        session.add(task)
    elif kept["line"] in task.guidelines:
        add_version(session, task, _without(task.guidelines, kept["line"]), person)


def _without(text: str, line: str) -> str:
    left = text.replace("\n" + line, "", 1) if "\n" + line in text else text.replace(line, "", 1)
    return left.rstrip().removesuffix(HEADING).rstrip() or "(none)"


def _task_of(session: Session, review: ReviewSession, item: ReviewItem) -> LabelTask | None:
    label_item = session.get(LabelItem, item.label_item_id) if item.label_item_id else None
    task_id = review.task_id or (label_item.task_id if label_item else None)
    return session.get(LabelTask, task_id) if task_id else None

"""What waits for one person."""

from __future__ import annotations

from sqlmodel import Session

from storage.repositories.labels import AnnotationRepository
from storage.tables import LabelTask


def left_for(session: Session, task: LabelTask, username: str) -> int:
    """Their own examples that they have not done; where anybody may answer, those that still lack answers."""
    if task.assignees and username not in task.assignees:
        return 0
    annotations, assigned = AnnotationRepository(session), task.assignment.get("assigned") or {}
    if not assigned:
        return annotations.waiting_for(task.id, username, task.answers_per_item)
    done = sum(count for name, status, count in annotations.tally(task.id) if name == username and status != "draft")
    return max(int(assigned.get(username, 0)) - done, 0)

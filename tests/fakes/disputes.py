"""A labeling task whose answers are in and disputed, made without a labeling platform."""

from __future__ import annotations

import json

from storage.database import Database
from storage.tables import Annotation, Example, LabelItem, LabelTask, Resolution

CATEGORIES = ("billing", "refund", "account", "shipping")
HOSTILE = "<img src=x onerror=alert(1)> **bold** $x^2$"


def answer(category: str) -> str:
    """An answer of the sample feature."""
    return json.dumps({"category": category, "priority": "high", "needs_human": True})


def disputed_task(database: Database, dataset_id: str, people: tuple[str, str], count: int) -> LabelTask:
    """Two people answered every example differently, and applying the answers left them all disputed."""
    with database.write() as session:
        task = LabelTask(dataset_id=dataset_id, name="Tickets", assignees=list(people), state="closed")
        session.add(task)
        session.flush()
        for number in range(count):
            example = Example(
                dataset_id=dataset_id,
                messages=[
                    {"role": "system", "content": "Triage the ticket as JSON."},
                    {"role": "user", "content": f"Ticket {number}: charged twice, nobody answers. {HOSTILE}"},
                ],
                output=answer(CATEGORIES[0]),
                original_output=answer(CATEGORIES[0]),
                prompt_hash=f"{number:064d}",
                split="golden" if number % 2 else "train",
            )
            session.add(example)
            session.flush()
            item = LabelItem(task_id=task.id, example_id=example.id, shown_output=example.output)
            session.add(item)
            session.flush()
            first, second = people
            said = {"verdict": "wrong", "output": answer(CATEGORIES[1 + number % 3])}
            session.add(Annotation(task_id=task.id, item_id=item.id, annotator=first, answers={"verdict": "correct"}))
            session.add(Annotation(task_id=task.id, item_id=item.id, annotator=second, answers=said))
            session.add(Resolution(task_id=task.id, item_id=item.id, example_id=example.id, verdict="disputed"))
        return task

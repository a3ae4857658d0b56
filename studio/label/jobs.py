"""Job handlers of labeling: send a task out, collect answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from studio.errors import Unavailable
from studio.jobs.context import JobContext
from studio.label import collecting
from studio.label.backend import LabelingBackend
from studio.label.catalog import labeling_backend
from studio.label.publishing import publish_task, skipped_items

PATIENCE_S = 180.0


class Speed:
    """Examples per second since the first that was sent; those of an earlier attempt do not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.first: tuple[int, float] | None = None

    def after(self, sent: int) -> str:
        """The speed so far in words, or nothing while it cannot be told."""
        at = self.clock()
        self.first = self.first or (sent, at)
        done, seconds = sent - self.first[0], at - self.first[1]
        return f", {done / seconds:,.0f} per second" if done and seconds > 0 else ""


def publish(context: JobContext) -> dict[str, Any]:
    """Send a task to the labeling platform; spec: task_id. Cancelled or killed, a retry sends what is missing."""
    backend = _when_up(context)

    speed = Speed()

    def on_sent(sent: int, total: int) -> None:
        context.report(sent / max(total, 1), f"{sent:,} of {total:,} examples sent{speed.after(sent)}")
        context.leave_if_asked()

    context.report(0.0, "Making the task")
    task = publish_task(context.database, backend, context.spec["task_id"], on_sent)
    skipped = [{"example_id": each.example_id, "reason": each.reason} for each in skipped_items(task)]
    return {"task_id": task.id, "ref": task.backend_ref, "skipped": skipped}


def collect(context: JobContext) -> dict[str, Any]:
    """Collect the answers of one task; spec: task_id."""
    done = collecting.collect(context.database, _when_up(context), context.spec["task_id"])
    return {"new": done.new, "changed": done.changed}


def _when_up(context: JobContext) -> LabelingBackend:
    """The platform once it answers: at the first start it takes a while to come up. Raises Unavailable."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        backend = labeling_backend(context.settings)
        health = backend.health()
        if health.ok:
            return backend
        if time.monotonic() > deadline:
            raise Unavailable(health.text)
        context.report(0.0, "Waiting for the labeling platform to start")
        context.leave_if_asked()
        time.sleep(1)

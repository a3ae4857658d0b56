"""Job handlers of improving: the next turn, and forgetting a user through the whole loop."""

from __future__ import annotations

from typing import Any

from studio.access.actor import Actor
from studio.curate.intake import Added
from studio.curate.jobs import datasets_of
from studio.improve import forgetting
from studio.improve.turns import Improve
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs
from studio.label.catalog import labeling_backend


def forget_user(context: JobContext) -> dict[str, Any]:
    """Delete everything of one user of one project; see `studio.improve.forgetting`."""
    return forgetting.forget_user(context, lambda: labeling_backend(context.settings))


def next_turn(context: JobContext) -> dict[str, Any]:
    """Take feedback in and freeze a version; spec: project_id, dataset_id."""
    improve = Improve(context.database, Jobs(context.database), datasets_of(context))
    project_id, dataset_id = context.spec["project_id"], context.spec["dataset_id"]
    expected = max(1, improve.waiting(project_id).calls)

    def after_batch(added: Added) -> None:
        context.report(0.8 * min(1.0, added.seen / expected), f"{added.seen:,} judged calls read")
        context.leave_if_asked()

    actor = Actor.operator(context.created_by)
    turn = improve.take_turn(actor, project_id, dataset_id, context.job_id, after_batch)
    return {"turn_id": turn.id, "number": turn.number, "version_id": turn.dataset_version_id, "taken": turn.taken}

"""Job handlers of curation: add logs to a dataset, freeze a version, export one."""

from __future__ import annotations

from typing import Any

from studio.access.actor import Actor
from studio.capture.filters import LogFilter
from studio.capture.logs import Logs
from studio.curate.datasets import Datasets
from studio.curate.intake import Added
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs


def add_logs(context: JobContext) -> dict[str, Any]:
    """Add the calls of a filter to a dataset; spec: dataset_id, filter."""
    chosen = LogFilter.from_dict(context.spec["filter"])
    expected = max(1, Logs(context.database).count(chosen).n)

    def after_batch(added: Added) -> None:
        context.report(added.seen / expected, f"{added.seen:,} calls read, {added.included:,} examples added")
        context.leave_if_asked()

    actor = Actor.operator(context.created_by)
    return datasets_of(context).add_logs_now(actor, context.spec["dataset_id"], chosen, after_batch).to_dict()


def freeze(context: JobContext) -> dict[str, Any]:
    """Freeze a dataset; spec: dataset_id, note."""
    context.report(0.1, "Checking for leakage and writing the files")
    actor = Actor.operator(context.created_by)
    frozen = datasets_of(context).freeze_with_facts(actor, context.spec["dataset_id"], context.spec.get("note", ""))
    version = frozen.version
    return {
        "version_id": version.id,
        "number": version.number,
        "is_new": frozen.is_new,
        "leaked": frozen.leaked,
        "note": frozen.note,
    }


def datasets_of(context: JobContext) -> Datasets:
    """The service, inside a job's process."""
    return Datasets(context.database, context.artifacts, Jobs(context.database))

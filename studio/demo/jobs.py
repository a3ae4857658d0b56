"""Job handlers of the sample project."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import Any

from storage.database import Database
from studio.access.actor import Actor
from studio.access.keys import ApiKeys
from studio.capture.filters import LogFilter
from studio.capture.logs import Logs
from studio.demo.teammates import answers_of
from studio.demo.tickets import tickets
from studio.demo.traffic import Sent, Traffic
from studio.errors import Unavailable
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs
from studio.label.catalog import labeling_backend
from studio.label.tasks import Labeling

REPEATED = 0.03
"""Share of tickets that people send twice: exact duplicates for Curate to find."""


def sample_traffic(context: JobContext) -> dict[str, Any]:
    """Send sample calls through the gateway with a key of its own, then wait until the log holds them."""
    actor, keys = Actor.operator(context.created_by), ApiKeys(context.database)
    project_id, calls = str(context.spec["project_id"]), int(context.spec["calls"])
    key, secret = keys.create(actor, project_id, "sample traffic")
    try:
        before = _captured(context.database, project_id)
        traffic = Traffic(context.settings.gateway_url, secret, str(context.spec["alias"]))
        sent = asyncio.run(_send(context, traffic, calls))
        if not sent.calls:
            raise Unavailable(f"No sample call was answered. First error: {sent.first_error}")
        context.report(0.97, "Waiting for the last calls to reach the log")
        arrived = _wait_for(context, project_id, before + sent.calls)
        return {**asdict(sent), "captured": arrived - before}
    finally:
        keys.revoke(actor, key.id)


def sample_labels(context: JobContext) -> dict[str, Any]:
    """Answer an open labeling task as the sample's teammates, through Argilla's API, from the generator's truth."""
    backend = labeling_backend(context.settings)
    labeling = Labeling(context.database, Jobs(context.database), lambda: backend, context.settings)
    task, people = labeling.get(str(context.spec["task_id"])), [str(name) for name in context.spec["people"]]
    items, given = labeling.items(task.id), 0
    for index, person in enumerate(people):
        context.leave_if_asked()
        context.report(index / len(people), f"Answering as {person}")
        given += backend.answer_as(task.backend_ref, person, answers_of(person, items))
    return {"answers": given, "source": "the generator's truth, through Argilla's API"}


async def _send(context: JobContext, traffic: Traffic, calls: int) -> Sent:
    found = tickets(calls - int(calls * REPEATED), int(context.spec["seed"]))
    found += found[: calls - len(found)]

    async def progress(done: int) -> None:
        if done % 25 == 0:
            context.leave_if_asked()
            context.report(0.95 * done / calls, f"{done:,} of {calls:,} calls")

    return await traffic.send(found, progress)


def _captured(database: Database, project_id: str) -> int:
    return Logs(database).count(LogFilter(project_id=project_id)).n


def _wait_for(context: JobContext, project_id: str, expected: int, seconds: float = 30) -> int:
    deadline = time.monotonic() + seconds
    while (arrived := _captured(context.database, project_id)) < expected and time.monotonic() < deadline:
        context.leave_if_asked()
        time.sleep(0.3)
    return arrived

"""Argilla's background jobs without Redis: an in-process stand-in for its two queues, for one server process.

Argilla uses Redis for a ping at start, the queues "high" (webhook deliveries) and "default" (record status after a
changed distribution, Hub import and export), and looking a job up. Jobs waiting here are lost when the process dies,
so a webhook is a hint; the studio polls for the truth.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, ClassVar

LOGGER = logging.getLogger("whetstone.argilla.jobs")


class LocalJob:
    """One call waiting to be made, with the retries its queue asked for."""

    def __init__(self, func: Callable[..., Any], args: Any, kwargs: Any, retry: Any) -> None:
        self.id = str(uuid.uuid4())
        self.func, self.args, self.kwargs = func, args or (), kwargs or {}
        self.waits = deque(retry.intervals or [0]) if retry else deque([0])
        self.retries = retry.max if retry else 0
        self.status = "queued"

    def get_status(self, refresh: bool = True) -> str:
        """The status as argilla-server's jobs handler reads it."""
        return self.status

    def next_wait(self) -> float:
        """Seconds until the next try; the last interval repeats."""
        return float(self.waits.popleft() if len(self.waits) > 1 else self.waits[0])


class LocalJobs:
    """Runs jobs as tasks of the server's own event loop and remembers the last thousand."""

    kept = 1000
    jobs: ClassVar[OrderedDict[str, LocalJob]] = OrderedDict()
    running: ClassVar[set[asyncio.Task[None]]] = set()
    in_order: ClassVar[asyncio.Lock | None] = None
    """One delivery at a time, so that events arrive in the order they happened."""

    @classmethod
    def enqueue_call(
        cls, func: Callable[..., Any], args: Any = (), kwargs: Any = None, retry: Any = None, **_: Any
    ) -> LocalJob:
        """Stand-in for `rq.Queue.enqueue_call`."""
        job = LocalJob(func, args, kwargs, retry)
        cls.jobs[job.id] = job
        while len(cls.jobs) > cls.kept:
            cls.jobs.popitem(last=False)
        cls._start(job)
        return job

    @classmethod
    def fetch(cls, job_id: str, connection: Any = None) -> LocalJob:
        """Stand-in for `rq.job.Job.fetch`."""
        from rq.exceptions import NoSuchJobError

        if job_id not in cls.jobs:
            raise NoSuchJobError(job_id)
        return cls.jobs[job_id]

    @classmethod
    def _start(cls, job: LocalJob) -> None:
        task = asyncio.get_running_loop().create_task(cls._run(job))
        cls.running.add(task)
        task.add_done_callback(cls.running.discard)

    @classmethod
    async def _run(cls, job: LocalJob) -> None:
        job.status = "started"
        try:
            await cls._call(job)
        except Exception as error:  # whatever a job raises is retried as rq would
            cls._again(job, error)
        else:
            job.status = "finished"

    @classmethod
    async def _call(cls, job: LocalJob) -> None:
        if job.func.__name__ == "notify_event_job":
            await cls._notify(*job.args, **job.kwargs)
        elif job.func.__name__ == "update_dataset_records_status_job":
            await job.func(*job.args, **job.kwargs)
        else:  # Hub import and export block for long
            await asyncio.to_thread(lambda: asyncio.run(job.func(*job.args, **job.kwargs)))

    @classmethod
    def _again(cls, job: LocalJob, error: Exception) -> None:
        if job.retries <= 0:
            job.status = "failed"
            LOGGER.error("job %s failed: %r", job.func.__name__, error)
            return
        job.retries -= 1
        job.status = "scheduled"
        wait = job.next_wait()
        LOGGER.warning("job %s failed (%r), again in %s s", job.func.__name__, error, wait)
        asyncio.get_running_loop().call_later(wait, cls._start, job)

    @classmethod
    async def _notify(cls, webhook_id: Any, event: str, timestamp: Any, data: dict[str, Any]) -> None:
        """Deliver a webhook with the blocking HTTP call off the event loop."""
        from argilla_server.database import AsyncSessionLocal
        from argilla_server.models import Webhook
        from argilla_server.webhooks.v1.commons import notify_event

        cls.in_order = cls.in_order or asyncio.Lock()
        async with cls.in_order:
            async with AsyncSessionLocal() as db:
                webhook = await Webhook.get(db, webhook_id)
            if webhook is None:
                return
            response = await asyncio.to_thread(notify_event, webhook, event, timestamp, data)
        response.raise_for_status()


def install() -> None:
    """Replace four attributes of argilla-server's objects; its source stays as it is."""
    from argilla_server.api.handlers.v1 import jobs as handlers
    from argilla_server.jobs import queues

    queues.DEFAULT_QUEUE.enqueue_call = LocalJobs.enqueue_call
    queues.HIGH_QUEUE.enqueue_call = LocalJobs.enqueue_call
    queues.REDIS_CONNECTION.ping = lambda *_args, **_kwargs: True
    handlers.Job = LocalJobs

"""Which processes of the studio answer, and what to do about one that does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import httpx

from storage.types import now
from studio.bootstrap import Studio
from studio.jobs.local import is_worker_running
from studio.settings import Settings

TIMEOUT_S = 2.0
LOW_DISK = 5 << 30
FRESH = timedelta(seconds=60)


@dataclass(frozen=True)
class Check:
    """One line of the health page: how it is, the facts, and what to do if it is not well."""

    name: str
    status: str
    """up, down, degraded or off."""
    detail: str
    fix: str = ""


def check_all(studio: Studio) -> list[Check]:
    """Every check, asked at the same time."""
    settings = studio.settings
    checks: list[Callable[[], Check]] = [
        lambda: _answers("Gateway", f"{settings.gateway_url}/health", "Start it with `studio up` or `studio gateway`."),
        lambda: _worker(studio),
        lambda: _argilla(settings),
        lambda: _sample(settings),
        lambda: _disk(settings),
        lambda: _database(studio),
    ]
    with ThreadPoolExecutor(len(checks)) as pool:
        return [done.result() for done in [pool.submit(check) for check in checks]]


def _answers(name: str, url: str, fix: str = "Start it with `studio up`.") -> Check:
    try:
        answer = httpx.get(url, timeout=TIMEOUT_S)
    except httpx.HTTPError:
        return Check(name, "down", f"{url} does not answer.", fix)
    if answer.is_success:
        return Check(name, "up", f"{url} answers in {answer.elapsed.total_seconds() * 1000:.0f} ms.")
    return Check(name, "degraded", f"{url} answers HTTP {answer.status_code}.", "Its log says why.")


def _argilla(settings: Settings) -> Check:
    url = settings.argilla_url or f"http://127.0.0.1:{settings.argilla_port}"
    return _answers("Argilla", f"{url.rstrip('/')}/api/v1/version")


def _sample(settings: Settings) -> Check:
    if not settings.sample_port:
        return Check("Sample model", "off", "Turned off with STUDIO_SAMPLE_PORT=0.")
    return _answers("Sample model", f"{settings.sample_url}/health")


def _worker(studio: Studio) -> Check:
    """Alive while it holds its lock on this host; on another host, its jobs' heartbeats tell."""
    active = studio.jobs.active(None)
    running = sum(job.status != "queued" for job in active)
    load = f"{running} running, {len(active) - running} waiting."
    if is_worker_running(studio.settings):
        return Check("Worker", "up", f"Runs on this host: {load}")
    if any(job.heartbeat_at and now() - job.heartbeat_at < FRESH for job in active):
        return Check("Worker", "up", f"Runs on another host: {load}")
    return Check("Worker", "down", f"None on this host: {load}", "Start it with `studio up` or `studio worker`.")


def _disk(settings: Settings) -> Check:
    usage = shutil.disk_usage(settings.root)
    detail = f"{usage.free / (1 << 30):.1f} GB free of {usage.total / (1 << 30):.0f} GB for {settings.root}."
    if usage.free < LOW_DISK:
        return Check("Disk", "degraded", detail, "Free some space: nothing is recorded on a full disk.")
    return Check("Disk", "up", detail)


def _database(studio: Studio) -> Check:
    kind = "SQLite" if studio.database.is_sqlite else "PostgreSQL"
    return Check("Database", "up", f"{kind}, with {len(studio.projects.all())} projects.")

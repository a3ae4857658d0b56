"""Builds the gateway from what it is given: the one place that knows all its parts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from storage.database import Database
from studio.capture.journal import open_journal
from studio.capture.privacy.beside import Beside
from studio.capture.privacy.keeping import KeptFresh
from studio.capture.recorder import Recorder
from studio.deploy.counting import Counter as TrafficCounter
from studio.deploy.shadow_log import ShadowLog
from studio.gateway.app import Gateway
from studio.gateway.asking import Asking
from studio.gateway.endpoints.catalog import ENDPOINTS
from studio.gateway.endpoints.models import Models
from studio.gateway.intakes.openpipe import OPENPIPE_CHAT
from studio.gateway.intakes.routes import intake_routes
from studio.gateway.keys import KeyCache, Resolves
from studio.gateway.limits import Limits
from studio.gateway.relay import Relay, Tools
from studio.gateway.routing import Routing, Table
from studio.gateway.shadowing import Shadowing
from studio.gateway.status import Health, Metrics
from studio.gateway.upstream.client import Upstreams
from studio.gateway.webhooks import ArgillaEvents, Hook
from studio.settings import Settings

SYNC_EVERY_S = 0.2
"""Calls that come while the disk writes wait for it: more often than this would show in the 99th percentile."""
FIGURES_EVERY_S = 2.0


def build_gateway(
    settings: Settings,
    keys: Resolves,
    load_table: Callable[[], Table],
    on_argilla: Hook,
    webhook_secret: Callable[[], str] = str,
    database: Database | None = None,
) -> Gateway:
    """The gateway as an ASGI application. Without a database it counts no traffic and keeps no answers of shadows."""
    journal, upstreams, routing = open_journal(settings), Upstreams(), Routing(load_table)
    privacy, cache, most = KeptFresh(settings.secrets, database), KeyCache(keys), settings.max_body_mb << 20
    recorder = Recorder(journal, privacy.cleaner, Beside(settings.secrets))
    answers, wait_s = Counter[int](), settings.upstream_timeout_s
    traffic, kept = TrafficCounter(database), ShadowLog(database, privacy.cleaner)
    asking, shadowing = Asking(routing, upstreams, wait_s), Shadowing(routing, upstreams, traffic.count, kept, wait_s)
    tools = Tools(cache, Limits(), asking, recorder, traffic.count, shadowing, most, wait_s)

    async def sync() -> None:
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            journal.rotate()
            await asyncio.to_thread(journal.sync)

    async def write_figures() -> None:
        while True:
            await asyncio.sleep(FIGURES_EVERY_S)
            await asyncio.to_thread(traffic.flush)
            await asyncio.to_thread(kept.flush)

    async def first() -> None:
        await asyncio.gather(privacy.refresh(), routing.refresh())

    def stop() -> None:
        journal.close()
        upstreams.close()
        traffic.flush()
        kept.flush()

    return Gateway(
        routes=[
            *(("POST", endpoint.path, Relay(endpoint, tools)) for endpoint in ENDPOINTS),
            ("GET", "/v1/models", Models(cache, routing)),
            ("GET", "/v1/models/{name}", Models(cache, routing)),
            ("POST", OPENPIPE_CHAT.path, Relay(OPENPIPE_CHAT, tools)),
            *intake_routes(cache, routing, recorder, most, database),
            ("POST", "/webhooks/argilla", ArgillaEvents(on_argilla, webhook_secret)),
            ("GET", "/health", Health(routing, journal)),
            ("GET", "/metrics", Metrics(answers, journal, shadowing)),
        ],
        background=[routing.keep_fresh, privacy.keep_fresh, cache.note_used, sync, write_figures, shadowing.run],
        on_stop=stop,
        answers=answers,
        first=first,
        last=recorder.finish,
    )

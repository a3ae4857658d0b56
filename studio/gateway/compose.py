"""Builds the gateway from what it is given: the one place that knows all its parts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from studio.capture.journal import Journal
from studio.capture.recorder import Recorder
from studio.capture.redact import Redactor
from studio.gateway.app import Gateway
from studio.gateway.chat import Chat
from studio.gateway.intake import TakeFeedback, TakeReport
from studio.gateway.keys import KeyCache, Resolves
from studio.gateway.routing import Routing, Table
from studio.gateway.status import Health, ListModels, Metrics
from studio.gateway.upstream.client import Upstreams
from studio.gateway.webhooks import ArgillaEvents, Hook
from studio.settings import Settings

SYNC_EVERY_S = 0.05


def build_gateway(
    settings: Settings,
    keys: Resolves,
    load_table: Callable[[], Table],
    on_argilla: Hook,
    webhook_secret: Callable[[], str] = str,
) -> Gateway:
    """The gateway as an ASGI application."""
    journal, upstreams, routing = Journal(settings.journal), Upstreams(), Routing(load_table)
    recorder, cache, most = Recorder(journal, Redactor.of(settings.secrets)), KeyCache(keys), settings.max_body_mb << 20
    answers: Counter[int] = Counter()
    feedback = TakeFeedback(cache, recorder, most)

    async def sync() -> None:
        while True:
            await asyncio.sleep(SYNC_EVERY_S)
            await asyncio.to_thread(journal.sync)

    def stop() -> None:
        journal.close()
        upstreams.close()

    return Gateway(
        routes=[
            (
                "POST",
                "/v1/chat/completions",
                Chat(cache, routing, upstreams, recorder, most, settings.upstream_timeout_s),
            ),
            ("GET", "/v1/models", ListModels(cache, routing)),
            ("POST", "/v1/feedback", feedback),
            ("POST", "/v1/logs/{uid}/feedback", feedback),
            ("POST", "/v1/report", TakeReport(cache, routing, recorder, most)),
            ("POST", "/webhooks/argilla", ArgillaEvents(on_argilla, webhook_secret)),
            ("GET", "/health", Health(routing, journal)),
            ("GET", "/metrics", Metrics(answers, journal)),
        ],
        background=[routing.keep_fresh, cache.note_used, sync],
        on_stop=stop,
        answers=answers,
    )

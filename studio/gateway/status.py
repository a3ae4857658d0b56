"""GET /health and /metrics."""

from __future__ import annotations

from collections import Counter

from studio.capture.journal import Journal
from studio.gateway.http import Request
from studio.gateway.routing import Routing
from studio.gateway.shadowing import Shadowing


class Health:
    """GET /health: 200 while calls can be served."""

    def __init__(self, routing: Routing, journal: Journal) -> None:
        self._routing = routing
        self._journal = journal

    async def __call__(self, request: Request) -> None:
        """Say how the gateway is."""
        age = self._routing.age_s
        facts = {
            "status": "starting" if age is None else "ok",
            "routes_age_s": None if age is None else round(age, 1),
            "recorded": self._journal.written,
            "not_recorded": self._journal.dropped,
        }
        await request.respond_json(503 if age is None else 200, facts)


class Metrics:
    """GET /metrics: counts since the start, in Prometheus' text form."""

    def __init__(self, answers: Counter[int], journal: Journal, shadowing: Shadowing) -> None:
        self._answers = answers
        self._journal = journal
        self._shadowing = shadowing

    async def __call__(self, request: Request) -> None:
        """Write the counts."""
        lines = [f'whetstone_answers_total{{status="{status}"}} {n}' for status, n in sorted(self._answers.items())]
        lines.append(f"whetstone_recorded_total {self._journal.written}")
        lines.append(f"whetstone_not_recorded_total {self._journal.dropped}")
        lines.append(f"whetstone_shadow_calls_total {self._shadowing.asked}")
        lines.append(f"whetstone_shadow_dropped_total {self._shadowing.dropped}")
        text = "\n".join(lines) + "\n"
        await request.respond(200, [(b"content-type", b"text/plain; version=0.0.4")], text.encode())

"""GET /health and /metrics."""

from __future__ import annotations

from collections import Counter
from typing import Any

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
            "journal": _journal_facts(self._journal),
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
        lines += _journal_lines(self._journal)
        lines.append(f"whetstone_shadow_calls_total {self._shadowing.asked}")
        lines.append(f"whetstone_shadow_dropped_total {self._shadowing.dropped}")
        text = "\n".join(lines) + "\n"
        await request.respond(200, [(b"content-type", b"text/plain; version=0.0.4")], text.encode())


def _journal_facts(journal: Journal) -> dict[str, Any]:
    """What waits for the database, and whether there is room for more; calls are answered either way."""
    room = journal.room
    return {
        "recording": not room.why and not journal.refusing,
        "why_not": journal.refusing or room.why or None,
        "waiting_bytes": room.waiting,
        "most_bytes": room.most_bytes or None,
        "oldest_s": round(room.oldest_s, 1),
    }


def _journal_lines(journal: Journal) -> list[str]:
    room = journal.room
    refused = [f'whetstone_journal_refused_total{{reason="{reason}"}} {n}' for reason, n in journal.refused.items()]
    return [
        *refused,
        f"whetstone_journal_waiting_bytes {room.waiting}",
        f"whetstone_journal_most_bytes {room.most_bytes}",
        f"whetstone_journal_oldest_seconds {room.oldest_s:.1f}",
    ]

"""POST /v1/logs: calls that Portkey's clients push, and OpenTelemetry's logs, which have the same address."""

from __future__ import annotations

from typing import Any

from studio.capture.reports.portkey import read_log
from studio.gateway.errors import ApiError
from studio.gateway.http import Request, parse
from studio.gateway.intakes.otlp import TakeExport
from studio.gateway.intakes.taking import UNREADABLE, Taking, objects


class TakeLogs:
    """Takes one log, or a list of them."""

    def __init__(self, taking: Taking, otlp: TakeExport) -> None:
        self._taking = taking
        self._otlp = otlp

    async def __call__(self, request: Request) -> None:
        """Record the calls."""
        key = await self._taking.reporter(request)
        body = await request.body(self._taking.max_body)
        if "protobuf" in request.header(b"content-type") or request.header(b"content-encoding"):
            await self._otlp.take(request, key, body)
            return
        found = parse(body)
        if isinstance(found, dict) and "resourceLogs" in found:
            await self._otlp.take(request, key, body)
            return
        listed = objects(found, "a log")
        ids, refused = await self._taking.record(key, [_read(one, number) for number, one in enumerate(listed)])
        if refused:
            raise ApiError(400, refused[0])
        await request.respond_json(200, {"status": "success", "message": "Logs saved.", "log_ids": ids})


def _read(found: dict[str, Any], number: int) -> Any:
    request = found.get("request")
    body = request.get("body") if isinstance(request, dict) else None
    if not isinstance(body, dict) or not isinstance(found.get("response"), dict):
        raise ApiError(400, f"[{number}] is no log: it needs `request.body` and `response`, as they were sent.")
    try:
        return read_log(found)
    except UNREADABLE as error:
        raise ApiError(400, f"[{number}] cannot be read: {str(error)[:200]}.") from error

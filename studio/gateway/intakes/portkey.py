"""POST /v1/logs: calls that Portkey's clients push."""

from __future__ import annotations

from typing import Any

from studio.capture.reports.portkey import read_log
from studio.gateway.errors import ApiError
from studio.gateway.http import Request
from studio.gateway.intakes.taking import UNREADABLE, Taking, objects

OTLP_LOGS = (
    "Logs of OpenTelemetry are not taken: send traces to /v1/traces, and put the messages on spans with"
    " OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY."
)


class TakeLogs:
    """Takes one log, or a list of them."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    async def __call__(self, request: Request) -> None:
        """Record the calls."""
        key = await self._taking.reporter(request)
        if "protobuf" in request.header(b"content-type"):
            raise ApiError(415, OTLP_LOGS)
        listed = objects(await request.json(self._taking.max_body), "a log")
        ids, refused = await self._taking.record(key, [_read(one, number) for number, one in enumerate(listed)])
        if refused:
            raise ApiError(400, refused[0])
        await request.respond_json(200, {"status": "success", "message": "Logs saved.", "log_ids": ids})


def _read(found: dict[str, Any], number: int) -> Any:
    if "resourceLogs" in found:
        raise ApiError(400, OTLP_LOGS)
    request = found.get("request")
    body = request.get("body") if isinstance(request, dict) else None
    if not isinstance(body, dict) or not isinstance(found.get("response"), dict):
        raise ApiError(400, f"[{number}] is no log: it needs `request.body` and `response`, as they were sent.")
    try:
        return read_log(found)
    except UNREADABLE as error:
        raise ApiError(400, f"[{number}] cannot be read: {str(error)[:200]}.") from error

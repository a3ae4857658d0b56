"""Odd and hostile bodies at every intake: refused or taken as far as they go, never a failure of the gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.gateway.intakes.routes import intake_routes
from tests.contract.intakes.conftest import Stand

DEEP = "[" * 900 + "]" * 900
NESTED = '{"a":' * 300 + "1" + "}" * 300
INJECTION = "'; DROP TABLE log_entry; --"
ODD: list[Any] = [None, True, -1, 1e308, 2**63, "\u0000", INJECTION, [[]], {"a": {}}]
FIELDS = (
    *("request", "response", "messages", "model", "tags", "kind", "value", "uid", "trace_id", "metadata", "rating"),
    *("scores", "key", "filters", "reqPayload", "respPayload", "requestedAt", "batch", "name", "traceId", "id"),
    *("resourceSpans", "litellm_call_id", "startTime", "error_information", "model_parameters", "external_id", "at"),
)
RAW = [
    b"",
    b"\xff\xfe",
    b"{",
    b"null",
    DEEP.encode(),
    NESTED.encode(),
    b'{"a": "\\ud800"}',
    b"9" * 5000,
    b"[" * 100_000,
]


def bodies() -> list[bytes]:
    """Each odd value in every field at once, alone and in a list; nested in the places that are looked into."""
    made = [json.dumps({name: value for name in FIELDS}).encode() for value in ODD]
    made += [json.dumps([{name: value for name in FIELDS}, value]).encode() for value in ODD]
    for value in ODD:
        message = {"role": value, "content": value, "tool_calls": value}
        call = {"model": "m", "messages": [message], "tools": value, "metadata": value, "stream": value, "user": value}
        inner = {"request": call, "response": {"choices": [{"message": message}], "usage": value, "id": value}}
        inner |= {"reqPayload": call, "respPayload": value, "messages": [message], "model": "m", "body": value}
        wrapped = {"request": {"body": call, "url": value}, "response": {"body": value, "status": value}}
        event = {
            "id": "e",
            "type": "generation-create",
            "body": {"id": "g", "output": value, "input": value, "usage": value},
        }
        made += [json.dumps(body).encode() for body in (inner, wrapped, {"batch": [event, value]}, [inner, wrapped])]
    return made + RAW


PATHS = [
    (method, path.replace("{uid}", "x").replace("{id}", "%2e%2e").replace("{rest}", "x").replace("{feedback_id}", "x"))
    for method, path, _ in intake_routes(None, None, None, 0, None)  # type: ignore[arg-type]
    if method != "GET" and "criteria" not in path and "check-cache" not in path
]


@pytest.mark.parametrize(("method", "path"), PATHS, ids=[f"{method} {path}" for method, path in PATHS])
def test_no_body_makes_the_gateway_fail(stand: Stand, method: str, path: str) -> None:
    with stand.web as web:
        for body in bodies():
            answer = web.request(method, path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code in (200, 202, 207, 400, 405, 413, 415, 501), (answer.status_code, body[:200])
            assert answer.content
    stand.calls()
    assert stand.web.get("/health").status_code == 200

"""POST /v1/intake/litellm: what LiteLLM's `generic_api` callback sends, one payload, a list of them, or one a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from studio.capture.reported import Reported
from studio.capture.reports.litellm import is_call, read_payload
from studio.gateway.http import Request, parse
from studio.gateway.intakes.taking import UNREADABLE, Taking, objects


class TakeLiteLLM:
    """Takes StandardLoggingPayloads."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    async def __call__(self, request: Request) -> None:
        """Record each call; one that cannot be read does not stop the others."""
        key = await self._taking.reporter(request)
        payloads = objects(_payloads(await request.body(self._taking.max_body)), "a payload")
        errors: list[str] = []
        ids, refused = await self._taking.record(key, read_each(payloads, errors))
        told = {"object": "list", "accepted": len(ids), "errors": errors + refused}
        await request.respond_json(200, told)


def read_each(payloads: list[dict[str, Any]], errors: list[str]) -> Iterator[Reported]:
    """The calls of these payloads, one after the other; why one cannot be read is put into `errors`."""
    for number, payload in enumerate(payloads):
        if not is_call(payload):
            continue
        try:
            call = read_payload(payload)
        except UNREADABLE as error:
            errors.append(f"[{number}] cannot be read: {str(error)[:200]}.")
        else:
            yield call


def _payloads(body: bytes) -> Any:
    """JSON, or one JSON value a line, whatever the header says: the callback says JSON for both."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) > 1 and all(line.lstrip()[:1] == b"{" and line.rstrip()[-1:] == b"}" for line in lines):
        try:
            return [orjson.loads(line) for line in lines]
        except orjson.JSONDecodeError:
            return parse(body)
    return parse(body)

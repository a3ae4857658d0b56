"""Helicone's manual logger: `providerRequest`, `providerResponse` and `timing`; who and what for is in its headers."""

from __future__ import annotations

from typing import Any

import orjson

from studio.capture.otlp.content import choices_of
from studio.capture.reported import Reported, amount, chat_reply
from studio.capture.reports.fields import dict_of, endpoint_of, number_of, status_of, text_of

SOURCE = "helicone"
OWN = ("_type", "toolName")
"""What the logger adds to a request or a response."""
CANCELLED = -3


def read_log(found: dict[str, Any], endpoint: str, facts: dict[str, Any]) -> Reported:
    """The logged call; `facts` are those that the headers tell."""
    request = _plain(dict_of(found.get("providerRequest")).get("json"))
    said, timing = dict_of(found.get("providerResponse")), dict_of(found.get("timing"))
    began, ended = _seconds(timing.get("startTime")), _seconds(timing.get("endTime"))
    status = said.get("status")
    http_status = status_of(status)
    response = _plain(said.get("json"))
    call = Reported(
        source=SOURCE,
        request=request,
        response=response or None,
        endpoint=endpoint_of(request, response, endpoint),
        same=text_of(facts.get("external_id")),
        at=began,
        latency_ms=max(ended - began, 0.0) * 1000 if began and ended else 0.0,
        first_token_ms=amount(timing.get("timeToFirstToken")),
        status="aborted" if status == CANCELLED else "error" if http_status >= 400 else "ok",
        http_status=499 if status == CANCELLED else http_status,
        stream=request.get("stream") is True,
        **facts,
    )
    if text := text_of(said.get("textBody")):
        _read_text(call, text)
    return call


def is_call(call: Reported) -> bool:
    """Whether something was asked of a model: its tools and vector databases are logged in the same way."""
    return any(call.request.get(name) for name in ("messages", "prompt", "input"))


def _read_text(call: Reported, text: str) -> None:
    """The answer as text: one body, the chunks of a stream line by line, or just what the model said."""
    whole = _json(text)
    lines = [line for line in text.split("\n") if line.strip()]
    if isinstance(whole, dict):
        call.response = whole
    elif lines and all(_is_chunk(line) for line in lines):
        call.stream, call.sse = True, "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()
    else:
        call.response = chat_reply(choices_of(text), model=call.model)


def _is_chunk(line: str) -> bool:
    found = _json(line)
    return isinstance(found, dict) and isinstance(found.get("choices"), list)


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _plain(found: Any) -> dict[str, Any]:
    return {name: value for name, value in dict_of(found).items() if name not in OWN}


def _seconds(found: Any) -> float | None:
    told = dict_of(found)
    seconds, rest = number_of(told.get("seconds")), number_of(told.get("milliseconds"))
    return None if seconds is None else seconds + (rest or 0.0) / 1000

"""OpenAI's chat formats, one JSON object per line.

- `{"messages": [..., {"role": "assistant", ...}]}`: fine-tuning files;
- `{"request": {...}, "response": {...}}`: logged calls (a batch's `{"status_code", "body"}` response too);
- `{"messages": [...], "choices": [...]}`: stored completions;
- `{"prompt": "...", "completion": "..."}`: pairs.

Beside them, where given: model, tools, metadata or tags, id, created or created_at, latency_ms, usage.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson

from studio.capture.importers.lines import Line, lines
from studio.capture.importers.port import ImportedCall, RowError
from studio.capture.record import Record
from studio.capture.tags import clean_tags
from studio.capture.text import parse_json

REQUEST_FIELDS = (
    "model",
    "messages",
    "tools",
    "tool_choice",
    "functions",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "response_format",
    "seed",
    "stop",
)
FORMS = "Expected `messages` that end with the assistant's answer, or `request` and `response`."
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


class Refused(Exception):
    """Why a row cannot be taken."""


class OpenAIJsonl:
    """Reads rows of any of these forms, mixed as they come."""

    def read(self, stream: BinaryIO, line: int = 0) -> Iterator[ImportedCall | RowError]:
        """One call or one error per line."""
        for found in lines(stream, line):
            try:
                yield _call(found)
            except Refused as error:
                yield RowError(found.number, found.end, str(error))


def _call(line: Line) -> ImportedCall:
    if line.text is None:
        raise Refused("The line is longer than 32 MB.")
    row = parse_json(line.text)
    if not isinstance(row, dict):
        raise Refused(_syntax(line.text))
    request, response = _parts(row)
    _check(request.get("messages"))
    meta = {
        "source": "import",
        "at": _moment(row.get("created_at") or row.get("created") or row.get("timestamp") or response.get("created")),
        "model": str(request.get("model") or response.get("model") or ""),
        "external_id": row.get("id") or row.get("custom_id") or response.get("id"),
        "tags": clean_tags(_dict(row.get("metadata")) | _dict(row.get("tags"))),
        "latency_ms": _number(row.get("latency_ms")),
    }
    record = Record(meta, orjson.dumps(request), orjson.dumps(response))
    return ImportedCall(line.number, line.end, hashlib.sha256(line.text).hexdigest(), record)


def _parts(row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and response, whichever form the row has."""
    if "request" in row:
        return _dict(row["request"]), _response(row.get("response"))
    if isinstance(row.get("messages"), list) and isinstance(row.get("choices"), list):
        return _request(row), {name: row.get(name) for name in ("id", "model", "choices", "usage", "created")}
    if isinstance(row.get("prompt"), str) and isinstance(row.get("completion"), str):
        return _request({**row, "messages": [_said("user", row["prompt"])]}), _completion(
            row, _said("assistant", row["completion"])
        )
    return _conversation(row)


def _conversation(row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    messages = row.get("messages")
    if not isinstance(messages, list):
        raise Refused(f"The row has no `messages`. {FORMS}")
    last = messages[-1] if messages else None
    if not isinstance(last, dict) or last.get("role") != "assistant":
        raise Refused("The last message must be the assistant's answer.")
    return _request({**row, "messages": messages[:-1]}), _completion(row, last)


def _request(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in REQUEST_FIELDS if row.get(name) is not None}


def _completion(row: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    message = {name: value for name, value in message.items() if name != "weight"}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if message.get("tool_calls") else "stop"}
    return {"choices": [choice], "usage": _dict(row.get("usage"))}


def _response(found: Any) -> dict[str, Any]:
    response = _dict(found)
    response = _dict(response["body"]) if isinstance(response.get("body"), dict) else response
    if not response.get("choices") and not response.get("error"):
        raise Refused("The `response` has no `choices`: it must be a chat completion.")
    return response


def _check(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise Refused("There is no prompt: `messages` must hold at least one message before the answer.")
    for number, message in enumerate(messages, 1):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise Refused(f"Message {number} has no known `role` (system, user, assistant, tool).")


def _syntax(text: bytes) -> str:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        return f"Not valid JSON at column {error.colno}: {error.msg}."
    except (UnicodeDecodeError, RecursionError):
        return "Not valid JSON: the line is not UTF-8 text, or is nested too deeply."
    return f"A JSON object is expected, not {type(found).__name__}."


def _moment(value: Any) -> float:
    """Unix seconds, milliseconds or an ISO date; now, where there is none."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            seconds = value / 1000 if value > 1e11 else value
            return datetime.fromtimestamp(seconds, UTC).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise Refused(f"The time {value!r} cannot be read.") from error
    return time.time()


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value >= 0 else 0.0


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

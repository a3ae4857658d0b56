"""From a journal record to the row of a LogEntry. Odd input makes an odd row, never an error."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson

from studio.capture.record import Record
from studio.capture.tags import clean_tags
from studio.capture.text import parse_json, prompt_text, reply_text
from studio.capture.tokens import MOST, Tokens, cost, estimated, told
from studio.capture.wire.answer import Answer, Asked
from studio.capture.wire.catalog import WIRES, read_reply, read_request
from studio.capture.wire.shapes import as_dict

REFERENCES = ("api_key_id", "deployment_id", "revision_id", "provider_id")
SPANS = ("trace_id", "span_id", "parent_span_id")
LONGEST_NAME = 200
CUT = "The upstream stopped in the middle of its answer."
HASH_BYTES = 8
LARGEST = 1e15
"""What is beyond is no figure of a call; its sums would not fit either."""


def entry_values(record: Record) -> dict[str, Any]:
    """All column values of the call's row."""
    meta, request = record.meta, as_dict(parse_json(record.request))
    endpoint = str(meta.get("endpoint") or "chat")
    asked, answer = read_request(endpoint, request), _answer(endpoint, record)
    return {
        "uid": str(meta["uid"]),
        "project_id": str(meta["project_id"]),
        "created_at": record.at,
        "source": str(meta.get("source") or "gateway"),
        "endpoint": endpoint if endpoint in WIRES else "chat",
        **_names(meta, asked, answer),
        "http_status": _status(meta.get("http_status")),
        "stream": bool(meta.get("stream")),
        "latency_ms": round(_figure(meta.get("latency_ms")) or 0.0, 3),
        "first_token_ms": _figure(meta.get("first_token_ms")),
        "messages": asked.messages,
        "tools": asked.tools,
        "params": asked.params,
        "prompt_hash": prompt_hash(asked.messages, asked.tools),
        "tags": clean_tags({**as_dict(request.get("metadata")), **as_dict(meta.get("tags"))}),
        "prompt_text": prompt_text(asked.messages),
        "redactions": as_dict(meta.get("redactions")),
        "rating": None,
        "correction": None,
        **_outcome(meta, answer),
        **_spent(meta, asked, answer),
    }


def prompt_hash(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> int | None:
    """64 bits that are equal for calls that asked exactly the same; None for a call without messages."""
    if not messages:
        return None
    try:
        said = orjson.dumps([messages, tools], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except TypeError:  # numbers beyond 64 bits, which the standard library takes
        said = json.dumps([messages, tools], sort_keys=True, default=str).encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(said, digest_size=HASH_BYTES).digest(), signed=True)


def _answer(endpoint: str, record: Record) -> Answer:
    if not record.reply:
        return Answer(complete=False)
    return read_reply(endpoint, record.reply, bool(record.meta.get("sse")))


def _names(meta: dict[str, Any], asked: Asked, answer: Answer) -> dict[str, Any]:
    """Who and what: the facts that were told beside the call, else what its body names."""
    return {
        "external_id": _short(meta.get("external_id") or answer.id),
        **{name: meta.get(name) for name in REFERENCES},
        "model": str(meta.get("model") or asked.model)[:LONGEST_NAME],
        "served_model": (answer.model or str(meta.get("upstream_model") or ""))[:LONGEST_NAME],
        **{name: _short(meta.get(name)) for name in SPANS},
        "session_id": _short(meta.get("session_id") or asked.session),
        "user_id": _short(meta.get("user_id") or asked.user),
    }


def _outcome(meta: dict[str, Any], answer: Answer) -> dict[str, Any]:
    status, error = str(meta.get("status") or "ok"), meta.get("error") or answer.error
    if status == "ok" and answer.error:
        status = "error"
    elif status == "ok" and not answer.complete:
        status, error = "cut", error or CUT
    failed = status == "error"
    return {
        "status": status,
        "error": str(error)[:4000] if error else None,
        "reply": {} if failed else answer.message,
        "reply_text": "" if failed else reply_text(answer.message),
        "choices": [] if failed else answer.choices,
        "finish_reason": answer.finish_reason,
    }


def _spent(meta: dict[str, Any], asked: Asked, answer: Answer) -> dict[str, Any]:
    """Figures that were told beside the call count before those of its body, and those before estimates."""
    tokens = told(answer.usage)
    prompt, completion = _whole(meta.get("prompt_tokens")), _whole(meta.get("completion_tokens"))
    if tokens is None and prompt is None and completion is None and answer.message:
        tokens = estimated(asked.messages, asked.tools, answer.message)
    tokens = tokens or Tokens()
    if prompt is not None or completion is not None:
        tokens = Tokens(
            tokens.prompt if prompt is None else prompt,
            tokens.completion if completion is None else completion,
            tokens.cached if prompt is None else min(tokens.cached, prompt),
            tokens.written if prompt is None else min(tokens.written, prompt),
        )
    price = _figure(meta.get("cost_usd"))
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "tokens_estimated": tokens.estimated or bool(meta.get("tokens_estimated")),
        "cost_usd": cost(as_dict(meta.get("prices")), tokens) if price is None else max(price, 0.0),
    }


def _whole(value: Any) -> int | None:
    found = _figure(value)
    return None if found is None else min(max(int(found), 0), MOST)


def _status(value: Any) -> int:
    """An answer's status; what is none counts as 200."""
    found = _figure(value)
    return int(found) if found is not None and 100 <= found <= 999 else 200


def _figure(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < LARGEST else None


def _short(value: Any) -> str | None:
    return str(value)[:LONGEST_NAME] if value else None

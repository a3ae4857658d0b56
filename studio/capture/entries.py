"""From a journal record to the row of a LogEntry. Odd input makes an odd row, never an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from studio.capture.answer import Answer, read_completion, read_stream
from studio.capture.record import Record
from studio.capture.tags import clean_tags
from studio.capture.text import estimated_tokens, parse_json, prompt_text, reply_text

BODY_FIELDS = frozenset({"messages", "tools", "model", "stream", "metadata"})
REFERENCES = ("api_key_id", "deployment_id", "revision_id", "provider_id")


def entry_values(record: Record) -> dict[str, Any]:
    """All column values of the call's row."""
    meta, request = record.meta, parse_json(record.request)
    request = request if isinstance(request, dict) else {}
    answer = _answer(record)
    messages = _dicts(request.get("messages"))
    return {
        "uid": str(meta["uid"]),
        "project_id": str(meta["project_id"]),
        "created_at": datetime.fromtimestamp(float(meta["at"]), UTC),
        "source": str(meta.get("source") or "gateway"),
        "external_id": _short(meta.get("external_id") or answer.id, 200),
        **{name: meta.get(name) for name in REFERENCES},
        "model": str(meta.get("model") or request.get("model") or "")[:200],
        "served_model": (answer.model or str(meta.get("upstream_model") or ""))[:200],
        "http_status": int(meta.get("http_status") or 200),
        "stream": bool(meta.get("stream")),
        "latency_ms": round(float(meta.get("latency_ms") or 0.0), 3),
        "first_token_ms": meta.get("first_token_ms"),
        "messages": messages,
        "tools": _dicts(request.get("tools")),
        "params": {key: value for key, value in request.items() if key not in BODY_FIELDS},
        "tags": clean_tags({**_dict(request.get("metadata")), **_dict(meta.get("tags"))}),
        "prompt_text": prompt_text(messages),
        "rating": None,
        "correction": None,
        **_outcome(meta, answer),
        **_usage(meta, messages, answer),
    }


def _answer(record: Record) -> Answer:
    if not record.reply:
        return Answer(complete=False)
    return read_stream(record.reply) if record.meta.get("sse") else read_completion(record.reply)


def _outcome(meta: dict[str, Any], answer: Answer) -> dict[str, Any]:
    status, error = str(meta.get("status") or "ok"), meta.get("error") or answer.error
    if status == "ok" and answer.error:
        status = "error"
    elif status == "ok" and not answer.complete:
        status, error = "cut", error or "The upstream stopped in the middle of its answer."
    failed = status == "error"
    return {
        "status": status,
        "error": str(error)[:4000] if error else None,
        "reply": {} if failed else answer.message,
        "reply_text": "" if failed else reply_text(answer.message),
        "finish_reason": answer.finish_reason,
    }


def _usage(meta: dict[str, Any], messages: list[dict[str, Any]], answer: Answer) -> dict[str, Any]:
    prompt = _count(answer.usage, "prompt_tokens", "input_tokens")
    completion = _count(answer.usage, "completion_tokens", "output_tokens")
    estimated = prompt is None and completion is None and bool(answer.message)
    if estimated:
        prompt, completion = estimated_tokens(messages), len(reply_text(answer.message)) // 4
    return {
        "prompt_tokens": prompt or 0,
        "completion_tokens": completion or 0,
        "tokens_estimated": estimated,
        "cost_usd": cost(_dict(meta.get("prices")), prompt or 0, completion or 0),
    }


def cost(prices: dict[str, Any], prompt_tokens: int, completion_tokens: int) -> float:
    """USD at these prices per million tokens; 0 when the price is unknown."""
    prompt, completion = float(prices.get("prompt") or 0), float(prices.get("completion") or 0)
    return (prompt * prompt_tokens + completion * completion_tokens) / 1_000_000


def _count(usage: dict[str, Any], *names: str) -> int | None:
    for name in names:
        if isinstance(usage.get(name), int | float):
            return max(int(usage[name]), 0)
    return None


def _short(value: Any, length: int) -> str | None:
    return str(value)[:length] if value else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []

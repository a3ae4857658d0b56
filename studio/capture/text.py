"""Messages as plain text (what lists show and search reads), and JSON from outside made safe to store."""

from __future__ import annotations

import json
from typing import Any

import orjson

SHOWN = 20_000
"""Characters of a prompt or reply that search reads; the message itself is kept whole."""


def parse_json(body: bytes) -> Any:
    """The JSON value, storable in any database, or None if it is not JSON."""
    try:
        value = orjson.loads(body)
    except ValueError:
        try:
            value = json.loads(body)  # takes the lone surrogates that some clients send
        except (ValueError, RecursionError):
            return None
        return storable(value)
    return storable(value) if b"\\u0000" in body else value


def storable(value: Any) -> Any:
    """The value without NUL characters and lone surrogates, which PostgreSQL refuses."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    return value


def content_text(content: Any) -> str:
    """A message's content as text; pictures and files become a short note."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_part_text(part) for part in content)
    return ""


def prompt_text(messages: list[dict[str, Any]]) -> str:
    """The last user turn, else the last message of any role."""
    turns = [message for message in messages if message.get("role") == "user"] or messages
    return content_text(turns[-1].get("content"))[:SHOWN] if turns else ""


def reply_text(reply: dict[str, Any]) -> str:
    """The reply's content, and its tool calls as `name(arguments)`."""
    parts = [content_text(reply.get("content")) or str(reply.get("refusal") or "")]
    for call in reply.get("tool_calls") or []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            parts.append(f"{function.get('name', '')}({function.get('arguments', '')})")
    return "\n".join(part for part in parts if part)[:SHOWN]


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else f"[{part.get('type', 'part')}]"

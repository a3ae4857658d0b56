"""A call's messages as the drawer draws them: plain text in pieces, what is new since the call before, no pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from storage.tables import LogEntry
from studio.capture.text import content_text
from studio.ui.capture.differing import Piece, shortened, word_changes

LONGEST = 60_000
"""Characters of one text that are shown; the rest is in the raw request."""
_MEDIA = {"image_url": "Picture", "image": "Picture", "input_image": "Picture", "input_audio": "Sound", "file": "File"}

Message = dict[str, Any]


def conversation(entry: LogEntry, previous: LogEntry | None = None) -> list[Message]:
    """Every message and the answer; with the call before, what it said already is marked old, an edit as changed."""
    before = [*previous.messages, previous.reply] if previous else []
    shown = [_against(message, before[place : place + 1]) for place, message in enumerate(entry.messages)]
    if not previous:
        shown = [{**message, "state": ""} for message in shown]
    return shown + _answers(entry) + _correction(entry)


def _answers(entry: LogEntry) -> list[Message]:
    choices = [choice.get("message") or {"content": choice.get("text")} for choice in entry.choices]
    if len(choices) < 2:
        return [{**_message(entry.reply), "state": "answer"}] if entry.reply else []
    return [
        {**_message(message), "state": "answer", "name": f"answer {place} of {len(choices)}"}
        for place, message in enumerate(choices, 1)
        if isinstance(message, dict)
    ]


def _correction(entry: LogEntry) -> list[Message]:
    """The answer that feedback says is right, as a change of the one that was given."""
    if not entry.correction:
        return []
    drawn = _message({"role": "assistant", "content": entry.correction})
    pieces = word_changes(entry.reply_text[:LONGEST], entry.correction[:LONGEST])
    return [{**drawn, "name": "as corrected", "state": "corrected", "pieces": shortened(pieces)}]


def _against(message: dict[str, Any], before: Sequence[dict[str, Any]]) -> Message:
    drawn = _message(message)
    if not before or not before[0] or str(before[0].get("role", "assistant")) != str(message.get("role")):
        return {**drawn, "state": "new"}
    if _message(before[0])["blocks"] == drawn["blocks"]:
        return {**drawn, "state": "old"}
    then, now = content_text(before[0].get("content")), content_text(message.get("content"))
    pieces = shortened(word_changes(then[:LONGEST], now[:LONGEST]))
    return {**drawn, "state": "changed" if _mostly_kept(pieces) else "new", "pieces": pieces}


def _mostly_kept(pieces: list[Piece]) -> bool:
    """Whether it is the same text edited rather than another text."""
    sizes = {kind: sum(len(text) for each, text in pieces if each == kind) for kind in ("same", "gone", "new")}
    return sizes["same"] >= max(sizes["gone"], sizes["new"], 20)


def _message(message: dict[str, Any]) -> Message:
    name = message.get("name") or message.get("tool_call_id") or ""
    return {"role": str(message.get("role") or "assistant"), "name": str(name), "blocks": _blocks(message)}


def _blocks(message: dict[str, Any]) -> list[dict[str, str]]:
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    found = [block for part in parts if (block := _block(part))]
    if message.get("refusal"):
        found.append({"kind": "note", "text": f"Refused: {message['refusal']}"})
    calls = message.get("tool_calls") or (
        [{"function": message["function_call"]}] if message.get("function_call") else []
    )
    return found + [_tool_call(call) for call in calls if isinstance(call, dict)]


def _block(part: Any) -> dict[str, str] | None:
    if isinstance(part, dict) and part.get("type") in _MEDIA:
        return {"kind": "note", "text": _media_words(part)}
    text = content_text(part if isinstance(part, str) else [part]) if part else ""
    return text_block(text) if text else None


def text_block(text: str) -> dict[str, str]:
    """A text; JSON is written with line breaks."""
    pretty = _pretty(text) if text[:1] in "{[" else None
    shown = pretty or text
    cut = f"\n[…{len(shown) - LONGEST:,} more characters in the raw request…]" if len(shown) > LONGEST else ""
    return {"kind": "json" if pretty else "text", "text": shown[:LONGEST] + cut}


def _tool_call(call: dict[str, Any]) -> dict[str, str]:
    function = call.get("function") if isinstance(call.get("function"), dict) else {}
    arguments = str((function or {}).get("arguments") or "")
    return {
        "kind": "call",
        "name": str((function or {}).get("name") or "tool"),
        "text": _pretty(arguments) or arguments,
    }


def _media_words(part: dict[str, Any]) -> str:
    kind = _MEDIA[str(part["type"])]
    held = part.get(str(part["type"])) or part.get("source") or {}
    url = held if isinstance(held, str) else str((held or {}).get("url") or (held or {}).get("data") or "")
    if url.startswith("http"):
        return f"{kind} at {url[:300]} (not loaded)"
    return f"{kind}, {len(url) * 3 // 4 // 1024:,} kB (not shown)" if url else f"{kind} (not shown)"


def _pretty(text: str) -> str | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return json.dumps(found, indent=2, ensure_ascii=False) if isinstance(found, dict | list) else None

"""Texts and messages as the conventions write them, in OpenAI's chat form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Message = dict[str, Any]
DEEPEST_NAME = 16
REASONS = {"tool_call": "tool_calls"}
"""Reasons to finish that the conventions spell otherwise than OpenAI."""


def parsed(value: Any) -> Any:
    """JSON written into a text, as many attributes are; anything else as it is."""
    if isinstance(value, str) and value[:1] in '[{"' and value:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def text(value: Any) -> str:
    """A text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value, default=str).decode()


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def first(attributes: Mapping[str, Any], *names: str) -> Any:
    """The first of these attributes that says something."""
    return next((attributes[name] for name in names if attributes.get(name) not in (None, "")), None)


def below(attributes: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """What flat attributes like `prefix.0.role` describe, as nested objects."""
    root: dict[str, Any] = {}
    for name, value in attributes.items():
        if name.startswith(prefix + "."):
            place, *rest = name[len(prefix) + 1 :].split(".", DEEPEST_NAME)
            here = root
            for part in rest:
                there = here.setdefault(place, {})
                here = here[place] = there if isinstance(there, dict) else {}
                place = part
            here[place] = value
    return root


def in_order(found: Any) -> list[dict[str, Any]]:
    """The objects of `{"0": …, "1": …}` in the order of their numbers."""
    numbered = [(int(key), value) for key, value in found.items() if key.isdecimal()] if isinstance(found, dict) else []
    return dicts([value for _, value in sorted(numbered, key=lambda pair: pair[0])])


def tool_call(call_id: Any, name: Any, arguments: Any) -> Message:
    """A tool call in chat form."""
    function = {"name": text(name), "arguments": text(arguments)}
    return {"id": text(call_id) or None, "type": "function", "function": function}


def tool(found: dict[str, Any]) -> dict[str, Any]:
    """A tool's definition in chat form."""
    if isinstance(found.get("function"), dict):
        return found
    kept = {name: parsed(found[name]) for name in ("name", "description", "parameters", "strict") if name in found}
    if "input_schema" in found:
        kept["parameters"] = parsed(found["input_schema"])
    return {"type": "function", "function": kept}


def from_parts(found: Iterable[dict[str, Any]]) -> list[Message]:
    """Messages of the GenAI conventions, `{"role", "parts": [{"type", …}]}`; each tool result is a message."""
    return [message for one in found for message in _from_parts(one)]


def messages_of(value: Any) -> list[Message]:
    """Messages from whatever was given as a call's input."""
    found = parsed(value)
    if isinstance(found, dict) and isinstance(found.get("messages"), list):
        found = found["messages"]
    if isinstance(found, dict) and "role" in found:
        return [found]
    if isinstance(found, list) and found and all(isinstance(item, dict) and "role" in item for item in found):
        return found
    return [{"role": "user", "content": text(found)}] if found not in (None, "") else []


def choices_of(value: Any) -> list[dict[str, Any]]:
    """Choices from whatever was given as a call's output."""
    found = parsed(value)
    if isinstance(found, dict) and dicts(found.get("choices")):
        return dicts(found["choices"])
    if isinstance(found, list) and found and all(isinstance(item, dict) and "role" in item for item in found):
        return [choice(item) for item in found]
    if isinstance(found, dict) and ("role" in found or "tool_calls" in found or "content" in found):
        return [choice({"role": "assistant", **found})]
    return [choice({"role": "assistant", "content": text(found)})] if found not in (None, "") else []


def choice(message: Message, finish_reason: Any = None) -> dict[str, Any]:
    """A choice with this message."""
    told = finish_reason if isinstance(finish_reason, str) and finish_reason else None
    return {"message": message, "finish_reason": REASONS.get(told, told) if told else None}


def _from_parts(found: dict[str, Any]) -> list[Message]:
    role = text(found.get("role")) or "user"
    parts = dicts(found.get("parts"))
    if not parts:
        return [{"role": role, "content": text(found.get("content"))}]
    results = [part for part in parts if part.get("type") == "tool_call_response"]
    rest = [part for part in parts if part.get("type") != "tool_call_response"]
    return [_tool_result(part) for part in results] + ([_message(role, rest)] if rest else [])


def _tool_result(part: dict[str, Any]) -> Message:
    return {
        "role": "tool",
        "tool_call_id": part.get("id"),
        "content": text(first(part, "response", "result", "content")),
    }


def _message(role: str, parts: list[dict[str, Any]]) -> Message:
    message: Message = {"role": role, "content": _content(parts)}
    calls = [part for part in parts if part.get("type") == "tool_call"]
    if calls:
        message["tool_calls"] = [tool_call(part.get("id"), part.get("name"), part.get("arguments")) for part in calls]
    if thoughts := [text(part.get("content")) for part in parts if part.get("type") == "reasoning"]:
        message["reasoning_content"] = "\n".join(thoughts)
    return message


def _content(parts: list[dict[str, Any]]) -> Any:
    """One text where there is nothing but text, else the parts."""
    shown = [part for part in parts if part.get("type") not in ("tool_call", "reasoning")]
    if all(part.get("type") == "text" for part in shown):
        return "".join(text(part.get("content")) for part in shown) or None
    return [_part(part) for part in shown]


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"type": "text", "text": text(part.get("content"))}
    kind = text(part.get("modality")) or text(part.get("type"))
    if kind == "image" and part.get("type") in ("uri", "blob"):
        return {"type": "image_url", "image_url": {"url": _address(part)}}
    return {"type": kind or "part", **{name: value for name, value in part.items() if name != "type"}}


def _address(part: dict[str, Any]) -> str:
    if part.get("type") == "uri":
        return text(part.get("uri"))
    return f"data:{text(part.get('mime_type')) or 'image/png'};base64,{text(first(part, 'content', 'data'))}"

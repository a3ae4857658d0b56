"""The items of responses as chat messages: texts, pictures, calls and their results, reasoning; the rest as it is."""

from __future__ import annotations

from typing import Any

from studio.capture.wire.message_blocks import joined_text
from studio.capture.wire.shapes import as_json, as_text, dicts, known, string, without

CALLS = ("function_call", "custom_tool_call")
RESULTS = ("function_call_output", "custom_tool_call_output")


def messages_of(given: Any, role: str) -> list[dict[str, Any]]:
    """The messages of a request's input or of a response's output."""
    if isinstance(given, str):
        return [{"role": role, "content": given}] if given else []
    messages: list[dict[str, Any]] = []
    for item in given if isinstance(given, list) else []:
        if isinstance(item, str):
            messages.append({"role": role, "content": item})
        elif isinstance(item, dict):
            _take(item, role, messages)
    return messages


def tools_of(given: Any) -> list[dict[str, Any]]:
    """Functions in the form of chat completions; tools of the provider's own as they are."""
    return [
        {"type": "function", "function": without(tool, "type")}
        if tool.get("type") == "function" and "function" not in tool
        else tool
        for tool in dicts(given)
    ]


def _take(item: dict[str, Any], role: str, messages: list[dict[str, Any]]) -> None:
    kind = item.get("type")
    if kind in CALLS:
        _assistant(messages).setdefault("tool_calls", []).append(_call(item))
    elif kind in RESULTS:
        content = content_of(item.get("output"))
        messages.append({"role": "tool", "tool_call_id": as_text(item.get("call_id")), "content": content})
    elif kind == "reasoning":
        _take_reasoning(item, messages)
    elif kind == "message" or (kind is None and "role" in item):
        _take_message(item, role, messages)
    else:
        whose = "tool" if string(kind).endswith("_output") else "assistant" if string(kind).endswith("_call") else role
        messages.append({"role": whose, "content": [item]})


def _take_message(item: dict[str, Any], role: str, messages: list[dict[str, Any]]) -> None:
    whose = as_text(item.get("role")) or role
    content, refusal = item.get("content"), ""
    if isinstance(content, list):
        refusal = "".join(string(part.get("refusal")) for part in dicts(content) if part.get("type") == "refusal")
        content = [part for part in content if not (isinstance(part, dict) and part.get("type") == "refusal")]
    said = content_of(content)
    said = joined_text(said) if whose == "assistant" else said
    message = {"role": whose, "content": said, **({"refusal": refusal} if refusal else {})}
    if whose == "assistant" and messages and _is_thought(messages[-1]):
        message |= {"reasoning_content": messages.pop()["reasoning_content"]}
    messages.append(message)


def _is_thought(message: dict[str, Any]) -> bool:
    return message.get("content") is None and message.keys() == {"role", "content", "reasoning_content"}


def _take_reasoning(item: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    parts = [*dicts(item.get("summary")), *dicts(item.get("content"))]
    if text := "\n".join(string(part.get("text")) for part in parts if part.get("text")):
        messages.append({"role": "assistant", "content": None, "reasoning_content": text})


def _assistant(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The assistant's message that a call belongs to: the one before it, or a new one."""
    if not messages or messages[-1].get("role") != "assistant":
        messages.append({"role": "assistant", "content": None})
    return messages[-1]


def _call(item: dict[str, Any]) -> dict[str, Any]:
    arguments = item.get("arguments") if item.get("type") == "function_call" else item.get("input")
    function = {"name": as_text(item.get("name")) or "", "arguments": "" if arguments is None else as_json(arguments)}
    return {"id": as_text(item.get("call_id")) or as_text(item.get("id")), "type": "function", "function": function}


def content_of(content: Any) -> Any:
    """A text, or parts in the form of chat completions; a single text is a text."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else None if content is None else as_json(content)
    parts = [_part(part) if isinstance(part, dict) else {"type": "text", "text": as_json(part)} for part in content]
    return joined_text(parts) if len(parts) < 2 else parts


def _part(part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text", "summary_text", "reasoning_text"):
        return {"type": "text", "text": string(part.get("text"))}
    if kind == "input_image":
        url = as_text(part.get("image_url")) or as_text(part.get("file_id")) or ""
        return {"type": "image_url", "image_url": known(url=url, detail=part.get("detail"))}
    if kind == "input_file":
        return {"type": "file", "file": without(part, "type")}
    return part

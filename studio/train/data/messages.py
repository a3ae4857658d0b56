"""Messages as training files hold them: text content in one shape, and tool calls where the base can read them."""

from __future__ import annotations

import json
from typing import Any

from studio.curate.outputs import assistant_message, parse_object

Messages = list[dict[str, Any]]


def plain(messages: Messages) -> Messages:
    """Messages with text content only, in the one shape every row of a training file must have."""
    return [{"role": str(message["role"]), "content": text_of(message.get("content"))} for message in messages]


def with_tools(messages: Messages) -> Messages:
    """Messages with their tool calls (arguments as values, the way chat templates read them) and tool results."""
    return [_with_tools(message) for message in messages]


def answer(output: str, tools: bool) -> Messages:
    """The assistant turn that an output stands for."""
    message = assistant_message(output)
    return with_tools([message]) if tools else [{"role": "assistant", "content": output}]


def uses_tools(messages: Messages) -> bool:
    """Whether a tool was called in the conversation."""
    return any(message.get("role") == "tool" or message.get("tool_calls") for message in messages)


def speaks_tools(template: str | None) -> bool:
    """Whether a chat template shows the model tools and their calls."""
    return bool(template) and "tools" in str(template) and "tool_calls" in str(template)


def text_of(content: Any) -> str:
    """The text of a message's content."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def tools_text(tools: list[dict[str, Any]]) -> str:
    """Tools as the JSON text that a training file holds (a column of mixed objects would not load)."""
    return json.dumps(tools, ensure_ascii=False, sort_keys=True)


def _with_tools(message: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"role": str(message["role"]), "content": text_of(message.get("content"))}
    if calls := message.get("tool_calls"):
        kept["tool_calls"] = [_call(call) for call in calls]
    if message.get("role") == "tool" and message.get("name"):
        kept["name"] = str(message["name"])
    return kept


def _call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    arguments = function.get("arguments")
    parsed = parse_object(arguments) if isinstance(arguments, str) else arguments
    return {"type": "function", "function": {"name": function.get("name", ""), "arguments": parsed or {}}}

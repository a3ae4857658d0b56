"""The blocks of Anthropic's messages in the form of chat completions; what has no such form stays as it is."""

from __future__ import annotations

from typing import Any

from studio.capture.wire.shapes import as_dict, as_json, as_text, dicts, string, without

CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def system_of(given: Any) -> list[dict[str, Any]]:
    """The system prompt as a message."""
    content = content_of(given)
    return [{"role": "system", "content": content}] if content else []


def turn(message: dict[str, Any]) -> list[dict[str, Any]]:
    """One turn: the results of tools in it are messages of their own, before what the user says."""
    role, content = as_text(message.get("role")) or "user", message.get("content")
    if role == "assistant":
        return [said_by_assistant(content)]
    if not isinstance(content, list):
        return [{"role": role, "content": content_of(content)}]
    results = [_result(block) for block in dicts(content) if block.get("type") == "tool_result"]
    rest = [block for block in content if not (isinstance(block, dict) and block.get("type") == "tool_result")]
    return [*results, {"role": role, "content": content_of(rest)}] if rest or not results else results


def said_by_assistant(content: Any, role: str = "assistant") -> dict[str, Any]:
    """Text, tool calls and reasoning of one answer."""
    if not isinstance(content, list):
        return {"role": role, "content": content_of(content)}
    blocks = dicts(content)
    calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
    thoughts = [string(block.get("thinking")) for block in blocks if block.get("type") == "thinking"]
    rest = [block for block in content if as_dict(block).get("type") not in ("tool_use", "thinking")]
    message: dict[str, Any] = {"role": role, "content": joined_text(content_of(rest))}
    if reasoning := "\n".join(thought for thought in thoughts if thought):
        message["reasoning_content"] = reasoning
    return {**message, "tool_calls": calls} if calls else message


def tools_of(given: Any) -> list[dict[str, Any]]:
    """Functions in the form of chat completions; tools of Anthropic's own as they are."""
    return [_tool(tool) if "input_schema" in tool else tool for tool in dicts(given)]


def tool_choice(given: Any) -> Any:
    """Which tool is to be called, in the words of chat completions."""
    kind = as_dict(given).get("type")
    if kind == "tool":
        return {"type": "function", "function": {"name": as_dict(given).get("name")}}
    return CHOICES.get(kind, given) if isinstance(kind, str) else given


def content_of(content: Any) -> Any:
    """A text, or parts; a single text is a text."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else None if content is None else as_json(content)
    parts = [_part(part) if isinstance(part, dict) else {"type": "text", "text": as_json(part)} for part in content]
    return joined_text(parts) if len(parts) < 2 else parts


def joined_text(parts: Any) -> Any:
    """One text of parts that are nothing but texts, as a model's answer comes in several."""
    if not isinstance(parts, list) or any(part.keys() != {"type", "text"} for part in parts):
        return parts
    return "".join(part["text"] for part in parts) or None


def _part(block: dict[str, Any]) -> dict[str, Any]:
    if block.get("type") == "text" and isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"]}
    if block.get("type") == "image" and isinstance(source := block.get("source"), dict):
        return {"type": "image_url", "image_url": {"url": _address(source)}}
    return block


def _address(source: dict[str, Any]) -> str:
    if source.get("type") == "base64":
        return f"data:{string(source.get('media_type'))};base64,{string(source.get('data'))}"
    return as_text(source.get("url")) or as_text(source.get("file_id")) or ""


def _result(block: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "tool", "tool_call_id": as_text(block.get("tool_use_id"))}
    message["content"] = content_of(block.get("content"))
    return {**message, "is_error": True} if block.get("is_error") else message


def _call(block: dict[str, Any]) -> dict[str, Any]:
    """Arguments as the stream spelled them, or as JSON of what came whole."""
    given = block.get("input")
    arguments = string(block.get("partial_json")) or ("" if given is None else as_json(given))
    function = {"name": as_text(block.get("name")) or "", "arguments": arguments}
    return {"id": as_text(block.get("id")), "type": "function", "function": function}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = {**without(tool, "input_schema", "type", "cache_control"), "parameters": tool["input_schema"]}
    return {"type": "function", "function": function}

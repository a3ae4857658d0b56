"""Vercel's AI SDK: `ai.generateText.doGenerate` and its like are the calls, `ai.generateText` around them is none."""

from __future__ import annotations

from typing import Any

from studio.capture.otlp.content import Message, choice, dicts, first, parsed, text, tool, tool_call
from studio.capture.otlp.llm import LlmSpan
from studio.capture.otlp.span import Span

OPERATION = "ai.operationId"
CALLS = {
    "ai.generateText.doGenerate": "chat",
    "ai.streamText.doStream": "chat",
    "ai.generateObject.doGenerate": "chat",
    "ai.streamObject.doStream": "chat",
    "ai.embed.doEmbed": "embeddings",
    "ai.embedMany.doEmbed": "embeddings",
}
PARAMS = {
    "temperature": ("temperature", "temperature"),
    "top_p": ("topP", "top_p"),
    "top_k": ("topK", "top_k"),
    "max_tokens": ("maxOutputTokens", "max_tokens"),
    "seed": ("seed", "seed"),
    "frequency_penalty": ("frequencyPenalty", "frequency_penalty"),
    "presence_penalty": ("presencePenalty", "presence_penalty"),
    "stop": ("stopSequences", "stop_sequences"),
}
"""Our name, the SDK's in `ai.settings.`, and that of `gen_ai.request.`."""
REASONS = {"tool-calls": "tool_calls", "content-filter": "content_filter"}


def is_around_calls(span: Span) -> bool:
    """Whether the SDK made it around its calls, or for something else: its texts are told once more inside."""
    operation = text(span.attributes.get(OPERATION))
    return operation.startswith("ai.") and operation not in CALLS


def read_vercel(span: Span) -> LlmSpan | None:
    """The call of an inner span; None for other spans, and for one that tells its messages as GenAI does."""
    found = span.attributes
    endpoint = CALLS.get(text(found.get(OPERATION)))
    if endpoint is None or ("ai.prompt.messages" not in found and "gen_ai.input.messages" in found):
        return None
    read = LlmSpan(
        endpoint=endpoint,
        model=text(first(found, "ai.model.id", "gen_ai.request.model")),
        served_model=text(first(found, "ai.response.model", "gen_ai.response.model")),
        params=_params(found),
        prompt_tokens=first(
            found, "ai.usage.inputTokens", "ai.usage.promptTokens", "gen_ai.usage.input_tokens", "ai.usage.tokens"
        ),
        completion_tokens=first(
            found, "ai.usage.outputTokens", "ai.usage.completionTokens", "gen_ai.usage.output_tokens"
        ),
        response_id=text(first(found, "ai.response.id", "gen_ai.response.id")) or None,
        first_token_ns=_first_token(span),
        stream=".doStream" in text(found.get(OPERATION)),
    )
    if endpoint == "embeddings":
        values = parsed(found.get("ai.values"))
        read.params["input"] = [text(parsed(one)) for one in values] if isinstance(values, list) else text(values)
        return read
    read.messages = [one for message in dicts(parsed(found.get("ai.prompt.messages"))) for one in _messages(message)]
    read.tools = [_tool(one) for one in dicts([parsed(one) for one in _list(found.get("ai.prompt.tools"))])]
    read.choices = _choices(found)
    return read


def _params(found: dict[str, Any]) -> dict[str, Any]:
    told = {
        ours: first(found, f"gen_ai.request.{usual}", f"ai.settings.{own}") for ours, (own, usual) in PARAMS.items()
    }
    told["max_tokens"] = first(
        found, "gen_ai.request.max_tokens", "ai.settings.maxOutputTokens", "ai.settings.maxTokens"
    )
    chosen = parsed(found.get("ai.prompt.toolChoice"))
    if isinstance(chosen, dict) and chosen.get("type"):
        named = {"type": "function", "function": {"name": text(chosen.get("toolName"))}}
        told["tool_choice"] = named if chosen["type"] == "tool" else text(chosen["type"])
    return {name: value for name, value in told.items() if value is not None}


def _first_token(span: Span) -> int | None:
    waited = first(span.attributes, "ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")
    if isinstance(waited, int | float) and not isinstance(waited, bool) and 0 <= waited < 1e9:
        return span.start_ns + int(waited * 1e6)
    return next((event.at_ns for event in span.events if event.name == "ai.stream.firstChunk"), None)


def _choices(found: dict[str, Any]) -> list[dict[str, Any]]:
    said = first(found, "ai.response.text", "ai.response.object", "ai.result.text", "ai.result.object")
    calls = dicts(parsed(first(found, "ai.response.toolCalls", "ai.result.toolCalls")))
    if said is None and not calls:
        return []
    message: Message = {"role": "assistant", "content": None if said is None else text(said)}
    if calls:
        message["tool_calls"] = [_call(one) for one in calls]
    if (thought := found.get("ai.response.reasoning")) is not None:
        message["reasoning_content"] = text(thought)
    reason = text(first(found, "ai.response.finishReason", "ai.finishReason"))
    return [choice(message, REASONS.get(reason, reason))]


def _messages(found: dict[str, Any]) -> list[Message]:
    """One message of the SDK's prompt; each tool result of it is a message."""
    role, content = text(found.get("role")) or "user", found.get("content")
    if not isinstance(content, list):
        return [{"role": role, "content": text(content)}]
    parts = dicts(content)
    results = [_result(part) for part in parts if part.get("type") == "tool-result"]
    rest = [part for part in parts if part.get("type") != "tool-result"]
    return ([_message(role, rest)] if rest or not results else []) + results


def _message(role: str, parts: list[dict[str, Any]]) -> Message:
    shown = [part for part in parts if part.get("type") not in ("tool-call", "reasoning")]
    if all(part.get("type") == "text" for part in shown):
        content: Any = "".join(text(part.get("text")) for part in shown) or None
    else:
        content = [_part(part) for part in shown]
    message: Message = {"role": role, "content": content}
    if calls := [part for part in parts if part.get("type") == "tool-call"]:
        message["tool_calls"] = [_call(part) for part in calls]
    if thoughts := [text(part.get("text")) for part in parts if part.get("type") == "reasoning"]:
        message["reasoning_content"] = "\n".join(thoughts)
    return message


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"type": "text", "text": text(part.get("text"))}
    kind = text(first(part, "mediaType", "mimeType"))
    data = first(part, "image", "data", "url")
    if part.get("type") == "image" or kind.startswith("image/"):
        address = text(data)
        if not address.startswith(("http:", "https:", "data:")):
            address = f"data:{kind or 'image/png'};base64,{address}"
        return {"type": "image_url", "image_url": {"url": address}}
    return {"type": "file", **{name: value for name, value in part.items() if name != "type"}}


def _call(part: dict[str, Any]) -> dict[str, Any]:
    return tool_call(part.get("toolCallId"), part.get("toolName"), first(part, "input", "args"))


def _result(part: dict[str, Any]) -> Message:
    given = first(part, "output", "result")
    given = given["value"] if isinstance(given, dict) and {"type", "value"} <= set(given) else given
    return {"role": "tool", "tool_call_id": text(part.get("toolCallId")) or None, "content": text(given)}


def _tool(found: dict[str, Any]) -> dict[str, Any]:
    schema = found.get("inputSchema")
    return tool(found if schema is None else {**found, "parameters": schema})


def _list(value: Any) -> list[Any]:
    value = parsed(value)
    return value if isinstance(value, list) else []

"""OpenTelemetry's GenAI conventions: messages in attributes (current), in events (before), and in numbered attributes
(OpenLLMetry's of before).
"""

from __future__ import annotations

from typing import Any

from studio.capture.otlp.content import (
    Message,
    below,
    choice,
    choices_of,
    dicts,
    first,
    from_parts,
    in_order,
    messages_of,
    parsed,
    text,
    tool,
    tool_call,
)
from studio.capture.otlp.llm import LlmSpan
from studio.capture.otlp.span import Span

ENDPOINTS = {
    "chat": "chat",
    "text_completion": "chat",
    "completion": "chat",
    "generate_content": "chat",
    "embeddings": "embeddings",
    "embedding": "embeddings",
}
"""Operations that ask a model; agents, tools and workflows are none, and contain the spans that do."""
PARAMS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "stop_sequences": "stop",
    "choice.count": "n",
}
CONTENT_EVENTS = (
    "gen_ai.client.inference.operation.details",
    "gen_ai.content.prompt",
    "gen_ai.content.completion",
)
STREAMED = ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming")
CHUNK_EVENTS = ("gen_ai.content.completion.chunk", "llm.content.completion.chunk", "gen_ai.first_token")
MESSAGE_EVENTS = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}


def read_genai(span: Span) -> LlmSpan | None:
    """The call of a span with `gen_ai.*` attributes; None where it is another operation."""
    found = _with_details(span)
    endpoint = _endpoint(found)
    if endpoint is None:
        return None
    read = LlmSpan(
        endpoint=endpoint,
        model=text(first(found, "gen_ai.request.model", "gen_ai.response.model")),
        served_model=text(found.get("gen_ai.response.model")),
        params={body: found[key] for name, body in PARAMS.items() if (key := f"gen_ai.request.{name}") in found},
        prompt_tokens=first(found, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        completion_tokens=first(found, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
        cost_usd=first(found, "gen_ai.usage.cost", "gen_ai.usage.total_cost"),
        response_id=text(found.get("gen_ai.response.id")) or None,
        first_token_ns=_first_token(span, found),
        stream=any(found.get(name) is True for name in STREAMED),
    )
    _read_content(read, span, found)
    return read


def _endpoint(found: dict[str, Any]) -> str | None:
    operation = text(first(found, "gen_ai.operation.name", "llm.request.type")).lower()
    if operation:
        return ENDPOINTS.get(operation)
    known = "gen_ai.request.model" in found and ("gen_ai.system" in found or "gen_ai.provider.name" in found)
    return "chat" if known and not found.get("traceloop.span.kind") else None


def _with_details(span: Span) -> dict[str, Any]:
    """The attributes, and those of the events that some put the content into."""
    told = [event.attributes for event in span.events if event.name in CONTENT_EVENTS]
    return {name: value for attributes in (*told, span.attributes) for name, value in attributes.items()}


def _read_content(read: LlmSpan, span: Span, found: dict[str, Any]) -> None:
    reasons = parsed(found.get("gen_ai.response.finish_reasons"))
    read.tools = [tool(one) for one in dicts(parsed(found.get("gen_ai.tool.definitions")))]
    if "gen_ai.input.messages" in found or "gen_ai.output.messages" in found:
        _current(read, found)
    elif events := _message_events(span):
        _from_events(read, events)
    elif "gen_ai.prompt" in found or "gen_ai.completion" in found:
        read.messages, read.choices = (
            messages_of(found.get("gen_ai.prompt")),
            choices_of(found.get("gen_ai.completion")),
        )
    else:
        _numbered(read, found)
    for number, made in enumerate(read.choices):
        if not made.get("finish_reason") and isinstance(reasons, list) and number < len(reasons):
            made["finish_reason"] = choice({}, reasons[number])["finish_reason"]


def _current(read: LlmSpan, found: dict[str, Any]) -> None:
    instructions = dicts(parsed(found.get("gen_ai.system_instructions")))
    told = [{"role": "system", "parts": instructions}] if instructions else []
    read.messages = from_parts(told + dicts(parsed(found.get("gen_ai.input.messages"))))
    for output in dicts(parsed(found.get("gen_ai.output.messages"))):
        made = from_parts([{"role": "assistant", **output}])
        read.choices += [choice(message, output.get("finish_reason")) for message in made]


def _message_events(span: Span) -> list[dict[str, Any]]:
    """Events `gen_ai.user.message` and so on: of the span, or as a list in one attribute."""
    own = [{"event.name": event.name, **event.attributes} for event in span.events]
    listed = own + dicts(parsed(span.attributes.get("events")))
    return [event for event in listed if text(event.get("event.name")) in (*MESSAGE_EVENTS, "gen_ai.choice")]


def _from_events(read: LlmSpan, events: list[dict[str, Any]]) -> None:
    for event in events:
        if event["event.name"] == "gen_ai.choice":
            said = parsed(event.get("message"))
            message = said if isinstance(said, dict) else event if "content" in event else {"content": said}
            read.choices.append(choice(_event_message(message, "assistant"), event.get("finish_reason")))
        else:
            read.messages.append(_event_message(event, MESSAGE_EVENTS[event["event.name"]]))


def _event_message(event: dict[str, Any], role: str) -> Message:
    content = parsed(event.get("content"))
    message: Message = {"role": text(event.get("role")) or role}
    message["content"] = content if isinstance(content, list) or content is None else text(event.get("content"))
    if calls := dicts(parsed(event.get("tool_calls"))):
        message["tool_calls"] = calls
    if role == "tool" and (call_id := first(event, "id", "tool_call_id")):
        message["tool_call_id"] = text(call_id)
    return message


def _numbered(read: LlmSpan, found: dict[str, Any]) -> None:
    """`gen_ai.prompt.0.role` and so on."""
    read.messages = [_numbered_message(one, "user") for one in in_order(below(found, "gen_ai.prompt"))]
    for one in in_order(below(found, "gen_ai.completion")):
        read.choices.append(choice(_numbered_message(one, "assistant"), one.get("finish_reason")))
    if not read.tools:
        read.tools = [tool(one) for one in in_order(below(found, "llm.request.functions"))]


def _numbered_message(found: dict[str, Any], role: str) -> Message:
    content = found.get("content")
    listed = parsed(content) if isinstance(content, str) and content[:1] == "[" else None
    message: Message = {"role": text(found.get("role")) or role}
    message["content"] = listed if dicts(listed) else content if content is None else text(content)
    if calls := in_order(found.get("tool_calls")):
        message["tool_calls"] = [tool_call(one.get("id"), one.get("name"), one.get("arguments")) for one in calls]
    if call_id := found.get("tool_call_id"):
        message["tool_call_id"] = text(call_id)
    return message


def _first_token(span: Span, found: dict[str, Any]) -> int | None:
    waited = first(found, "gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token")
    if isinstance(waited, int | float) and not isinstance(waited, bool) and 0 <= waited < 1e6:
        return span.start_ns + int(waited * 1e9)
    return next((event.at_ns for event in span.events if event.name in CHUNK_EVENTS), None)

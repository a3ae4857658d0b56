"""OpenInference, which Arize Phoenix and others use: `llm.input_messages.0.message.role` and so on."""

from __future__ import annotations

from typing import Any

from studio.capture.otlp.content import (
    Message,
    below,
    choice,
    choices_of,
    dicts,
    first,
    in_order,
    messages_of,
    parsed,
    text,
    tool,
    tool_call,
)
from studio.capture.otlp.llm import LlmSpan
from studio.capture.otlp.span import Span

KINDS = {"LLM": "chat", "EMBEDDING": "embeddings"}
FIRST_TOKEN = "First Token Stream Event"


def read_openinference(span: Span) -> LlmSpan | None:
    """The call of a span of the kind LLM or EMBEDDING; None for chains, tools, retrievers and agents."""
    found = span.attributes
    endpoint = KINDS.get(text(found.get("openinference.span.kind")).upper())
    if endpoint is None:
        return None
    params = parsed(found.get("llm.invocation_parameters"))
    params = dict(params) if isinstance(params, dict) else {}
    served = text(first(found, "llm.model_name", "embedding.model_name"))
    read = LlmSpan(
        endpoint=endpoint,
        model=text(first(params, "model", "model_name")) or text(found.get("llm.request.model_name")) or served,
        served_model=served,
        params={name: value for name, value in params.items() if name not in ("model", "model_name", "messages")},
        prompt_tokens=found.get("llm.token_count.prompt"),
        completion_tokens=found.get("llm.token_count.completion"),
        cost_usd=found.get("llm.cost.total"),
        first_token_ns=next((event.at_ns for event in span.events if event.name == FIRST_TOKEN), None),
        stream=params.get("stream") is True,
    )
    _read_content(read, found)
    return read


def _read_content(read: LlmSpan, found: dict[str, Any]) -> None:
    read.messages = [_message(one) for one in in_order(below(found, "llm.input_messages"))]
    outputs = in_order(below(found, "llm.output_messages"))
    read.choices = [choice(_message(one), found.get("llm.finish_reason")) for one in outputs]
    schemas = (below(one, "tool").get("json_schema") or one.get("tool") for one in in_order(below(found, "llm.tools")))
    read.tools = [tool(schema) for one in schemas if (schema := _schema(one))]
    _read_exact(read, parsed(found.get("input.value")), parsed(found.get("output.value")))
    if read.endpoint == "embeddings":
        texts = [one.get("embedding", {}).get("text") for one in in_order(below(found, "embedding.embeddings"))]
        read.params.setdefault("input", [text(one) for one in texts if one is not None])
    elif not read.messages:
        read.messages, read.choices = messages_of(found.get("input.value")), choices_of(found.get("output.value"))


def _schema(found: Any) -> dict[str, Any] | None:
    inner = found.get("json_schema") if isinstance(found, dict) else found
    made = parsed(inner)
    return made if isinstance(made, dict) else None


def _read_exact(read: LlmSpan, given: Any, said: Any) -> None:
    """Instrumented clients put the bodies of request and answer into the span as they were."""
    if not isinstance(given, dict) or not isinstance(given.get("model"), str):
        return
    messages = dicts(given.get("messages"))
    if messages and all("role" in one for one in messages):
        read.exact_request = given
    elif "input" in given and isinstance(said, dict) and said.get("object") == "response":
        read.endpoint, read.exact_request = "responses", given
    if read.exact_request and isinstance(said, dict) and (said.get("choices") or said.get("object") == "response"):
        read.exact_response = {name: value for name, value in said.items() if value is not None}
        read.response_id = text(said.get("id")) or None


def _message(found: dict[str, Any]) -> Message:
    said = found.get("message")
    said = said if isinstance(said, dict) else {}
    message: Message = {"role": text(said.get("role")) or "user", "content": _content(said)}
    calls = [one.get("tool_call", {}) for one in in_order(said.get("tool_calls"))]
    if calls:
        message["tool_calls"] = [_tool_call(one) for one in calls if isinstance(one, dict)]
    if call_id := said.get("tool_call_id"):
        message["tool_call_id"] = text(call_id)
    return message


def _tool_call(found: dict[str, Any]) -> dict[str, Any]:
    function = found.get("function")
    function = function if isinstance(function, dict) else {}
    return tool_call(found.get("id"), function.get("name"), function.get("arguments"))


def _content(said: dict[str, Any]) -> Any:
    if said.get("content") is not None:
        return text(said["content"])
    parts = [one.get("message_content") for one in in_order(said.get("contents"))]
    return [_part(part) for part in dicts(parts)] or None


def _part(found: dict[str, Any]) -> dict[str, Any]:
    kind = text(found.get("type")) or "text"
    if kind == "image":
        image = found.get("image")
        inner = image.get("image", image) if isinstance(image, dict) else {}
        return {"type": "image_url", "image_url": {"url": text(inner.get("url") if isinstance(inner, dict) else inner)}}
    return {"type": "text", "text": text(found.get("text"))} if kind == "text" else {"type": kind, **found}

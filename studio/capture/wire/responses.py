"""OpenAI's responses: items become messages, and what a stream tells in pieces becomes items again."""

from __future__ import annotations

from typing import Any

from studio.capture.wire.answer import Answer, Asked, Wire, error_text, kept_choices
from studio.capture.wire.chat import named_user
from studio.capture.wire.response_items import messages_of, tools_of
from studio.capture.wire.response_stream import Pieces
from studio.capture.wire.shapes import as_dict, as_text, dicts, known, without
from studio.capture.wire.sse import events

OWN = ("input", "instructions", "tools", "model", "stream", "metadata", "text", "max_output_tokens", "conversation")
ENDED = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
WHY = {"max_output_tokens": "length", "content_filter": "content_filter"}


def read_asked(body: dict[str, Any]) -> Asked:
    """The request."""
    instructions = body.get("instructions")
    first = [{"role": "system", "content": instructions}] if isinstance(instructions, str) and instructions else []
    if isinstance(instructions, list):
        first = messages_of(instructions, "system")
    conversation = body.get("conversation")
    named = as_dict(conversation).get("id") if isinstance(conversation, dict) else conversation
    return Asked(
        model=as_text(body.get("model")) or "",
        messages=[*first, *messages_of(body.get("input"), "user")],
        tools=tools_of(body.get("tools")),
        params=_params(body),
        user=named_user(body),
        session=as_text(named) or as_text(body.get("previous_response_id")),
    )


def _params(body: dict[str, Any]) -> dict[str, Any]:
    """The settings; those that chat completions have under another name are found there."""
    text = as_dict(body.get("text"))
    wanted = as_dict(text.get("format"))
    format_ = wanted or None
    if wanted.get("type") == "json_schema":
        format_ = {"type": "json_schema", "json_schema": without(wanted, "type")}
    renamed = known(
        max_completion_tokens=body.get("max_output_tokens"),
        response_format=format_,
        verbosity=text.get("verbosity"),
        conversation=body.get("conversation"),
    )
    left = without(text, "format", "verbosity")
    return {**without(body, *OWN), **renamed, **({"text": left} if left else {})}


def take_whole(found: dict[str, Any], answer: Answer) -> None:
    """A `response`."""
    output = dicts(found.get("output"))
    said = messages_of(output, "assistant")
    answer.message = _joined(said) if said else {}
    answer.error = error_text(found)
    answer.finish_reason = _why(found, answer.message)
    answer.complete = found.get("status") not in ("in_progress", "queued")
    if logprobs := _logprobs(output):
        whole = {"index": 0, "message": answer.message, "finish_reason": answer.finish_reason}
        answer.choices = kept_choices([{**whole, "logprobs": {"content": logprobs}}])


def _joined(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """One message of all that a response said: a text, then calls, then another text would be three."""
    joined: dict[str, Any] = {"role": "assistant", "content": None}
    for message in messages:
        for name, value in message.items():
            if name != "role" and value:
                joined[name] = _together(joined.get(name), value)
    return joined


def _together(had: Any, value: Any) -> Any:
    if isinstance(had, str) and isinstance(value, str):
        return f"{had}\n{value}"
    if isinstance(had, str) and isinstance(value, list):
        return [{"type": "text", "text": had}, *value]
    if isinstance(had, list) and isinstance(value, str):
        return [*had, {"type": "text", "text": value}]
    return had + value if isinstance(had, list) and isinstance(value, list) else value


def _why(found: dict[str, Any], message: dict[str, Any]) -> str | None:
    if reason := as_text(as_dict(found.get("incomplete_details")).get("reason")):
        return WHY.get(reason, reason)
    if found.get("status") in ("failed", "cancelled", "in_progress", "queued", "incomplete"):
        return None
    return ("tool_calls" if message.get("tool_calls") else "stop") if message else None


def _logprobs(output: list[dict[str, Any]]) -> list[Any]:
    parts = (part for item in output for part in dicts(item.get("content")))
    return [told for part in parts for told in dicts(part.get("logprobs"))]


def read_stream(body: bytes) -> Answer:
    """What a stream's events add up to: the response at its end, or the pieces that came before it was cut."""
    pieces, response, ended, error = Pieces(), dict[str, Any](), False, None
    for event in events(body):
        if event is None:
            continue
        kind = event.get("type")
        if isinstance(event.get("response"), dict):
            response = {**response, **event["response"]}
            ended = ended or kind in ENDED
        elif kind == "error" or event.get("error"):
            error = error_text(event) or as_text(event.get("message")) or "The stream told an error."
        else:
            pieces.take(event)
    return _answer(response, pieces, ended, error)


def _answer(response: dict[str, Any], pieces: Pieces, ended: bool, error: str | None) -> Answer:
    if not (ended and dicts(response.get("output"))):
        response = {**response, "output": pieces.items()}
    answer = Answer(model=as_text(response.get("model")) or "", id=as_text(response.get("id")))
    answer.usage = as_dict(response.get("usage"))
    take_whole(response, answer)
    answer.error = answer.error or error
    answer.complete = ended
    return answer


RESPONSES = Wire(read_asked, take_whole, read_stream)

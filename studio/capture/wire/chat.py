"""OpenAI's chat completions: the form that everything else is read into."""

from __future__ import annotations

from typing import Any

from studio.capture.wire.answer import Answer, Asked, Wire, error_text, kept_choices
from studio.capture.wire.deltas import Choice
from studio.capture.wire.shapes import as_dict, as_text, dicts, number, without
from studio.capture.wire.sse import events

OWN = ("messages", "tools", "model", "stream", "metadata")


def read_asked(body: dict[str, Any]) -> Asked:
    """The request."""
    return Asked(
        model=as_text(body.get("model")) or "",
        messages=dicts(body.get("messages")),
        tools=dicts(body.get("tools")),
        params=without(body, *OWN),
        user=named_user(body),
        session=as_text(as_dict(body.get("metadata")).get("session_id")),
    )


def named_user(body: dict[str, Any]) -> str | None:
    """The caller's user, as OpenAI's and Anthropic's requests name one."""
    metadata = as_dict(body.get("metadata"))
    named = (body.get("user"), body.get("safety_identifier"), metadata.get("user_id"), metadata.get("user"))
    return next((found for value in named if (found := as_text(value))), None)


def take_whole(found: dict[str, Any], answer: Answer) -> None:
    """A `chat.completion`."""
    choices = dicts(found.get("choices"))
    first = min(choices, key=lambda choice: number(choice.get("index")), default={})
    answer.message = as_dict(first.get("message"))
    answer.finish_reason = as_text(first.get("finish_reason"))
    answer.choices = kept_choices(choices)


def read_stream(body: bytes) -> Answer:
    """What the `chat.completion.chunk` events of a stream add up to; incomplete if it was cut."""
    answer, choices, done = Answer(), dict[int, Choice](), False
    for chunk in events(body):
        if chunk is None:
            done = True
            continue
        take_facts(chunk, answer)
        for part in dicts(chunk.get("choices")):
            index = number(part.get("index"))
            choices.setdefault(index, Choice(index)).take(part)
    return finished(answer, choices, done)


def take_facts(chunk: dict[str, Any], answer: Answer) -> None:
    """What a chunk says of the whole answer."""
    answer.model = answer.model or as_text(chunk.get("model")) or ""
    answer.id = answer.id or as_text(chunk.get("id"))
    answer.usage = as_dict(chunk.get("usage")) or answer.usage
    answer.error = error_text(chunk) or answer.error


def finished(answer: Answer, choices: dict[int, Choice], done: bool) -> Answer:
    """The answer with its choices; the first of them is the message."""
    first = choices[min(choices)] if choices else Choice(0)
    answer.message, answer.finish_reason = first.message(), first.finish_reason
    answer.complete = done or bool(choices and all(choice.finish_reason for choice in choices.values()))
    answer.choices = kept_choices([choices[index].whole() for index in sorted(choices)])
    return answer


CHAT = Wire(read_asked, take_whole, read_stream)

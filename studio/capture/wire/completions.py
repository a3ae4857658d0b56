"""OpenAI's completions: a prompt becomes a user's message, a text the assistant's."""

from __future__ import annotations

from typing import Any

from studio.capture.wire.answer import Answer, Asked, Wire
from studio.capture.wire.chat import finished, named_user, take_facts
from studio.capture.wire.chat import take_whole as take_chat
from studio.capture.wire.deltas import Choice
from studio.capture.wire.shapes import as_text, dicts, number, string, without
from studio.capture.wire.sse import events

OWN = ("prompt", "model", "stream", "metadata")


def read_asked(body: dict[str, Any]) -> Asked:
    """The request."""
    return Asked(
        model=as_text(body.get("model")) or "",
        messages=prompts(body.get("prompt")),
        params=without(body, *OWN),
        user=named_user(body),
    )


def prompts(given: Any) -> list[dict[str, Any]]:
    """A user's message for each text, or list of token ids, that was given."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        return []
    if all(isinstance(item, int) for item in given):
        return [_of_ids(given)]
    return [{"role": "user", "content": item} if isinstance(item, str) else _of_ids(item) for item in given]


def _of_ids(ids: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "token_ids", "token_ids": ids}]}


def take_whole(found: dict[str, Any], answer: Answer) -> None:
    """A `text_completion`."""
    take_chat({"choices": [_in_chat_form(choice) for choice in dicts(found.get("choices"))]}, answer)


def _in_chat_form(choice: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": string(choice.get("text")) or None}
    return {**without(choice, "text"), "message": message}


def read_stream(body: bytes) -> Answer:
    """What the events of a stream add up to."""
    answer, choices, done = Answer(), dict[int, Choice](), False
    for chunk in events(body):
        if chunk is None:
            done = True
            continue
        take_facts(chunk, answer)
        for part in dicts(chunk.get("choices")):
            index = number(part.get("index"))
            choice = choices.setdefault(index, Choice(index))
            choice.take({**without(part, "text"), "delta": {"content": string(part.get("text"))}})
    return finished(answer, choices, done)


COMPLETIONS = Wire(read_asked, take_whole, read_stream)

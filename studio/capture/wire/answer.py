"""What every wire format is read into: what was asked, and what was answered, as OpenAI's chat completions say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from studio.capture.text import parse_json
from studio.capture.wire.shapes import as_dict, as_text

EMPTY = "The answer was empty."


@dataclass
class Asked:
    """A request."""

    model: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)
    """Everything else of the body, but `stream` and the tags."""
    user: str | None = None
    """The caller's own user, as the body names it."""
    session: str | None = None
    """The conversation that the body names."""


@dataclass
class Answer:
    """What the model said, and what came with it."""

    message: dict[str, Any] = field(default_factory=dict)
    finish_reason: str | None = None
    model: str = ""
    id: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    """As the server counts; `tokens.told` reads every format's."""
    error: str | None = None
    complete: bool = True
    choices: list[dict[str, Any]] = field(default_factory=list)
    """Every choice, where there is more than one or log probabilities were told; else none."""


@dataclass(frozen=True)
class Wire:
    """How one endpoint's bodies are read."""

    asked: Callable[[dict[str, Any]], Asked]
    whole: Callable[[dict[str, Any], Answer], None]
    """Puts what a whole body says into the answer, which has its id, model, usage and error already."""
    stream: Callable[[bytes], Answer]


def read_whole(body: bytes, wire: Wire) -> Answer:
    """The answer in a body, or the error in an error body."""
    found = parse_json(body)
    if not isinstance(found, dict):
        return Answer(error=body[:2000].decode("utf-8", "replace") or EMPTY, complete=False)
    answer = Answer(model=as_text(found.get("model")) or "", id=as_text(found.get("id")))
    answer.usage, answer.error = as_dict(found.get("usage")), error_text(found)
    wire.whole(found, answer)
    return answer


def error_text(body: dict[str, Any]) -> str | None:
    """The message of an error body, in OpenAI's, Anthropic's or TGI's form."""
    error = body.get("error")
    if isinstance(error, dict):
        return str(error.get("message") or error)
    return str(error) if error else None


def kept_choices(choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The choices if they say more than the one message."""
    return choices if len(choices) > 1 or any(choice.get("logprobs") for choice in choices) else []

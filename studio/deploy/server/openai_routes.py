"""OpenAI's routes: what chat completions and completions share, whole and streamed, one answer or several."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response

from studio.deploy.server.answer import Answer, collect, headers, served, together, while_connected
from studio.deploy.server.engine import Engine, Ticket
from studio.deploy.server.errors import WireError, unknown_model
from studio.deploy.server.metrics import Metrics
from studio.deploy.server.openai_wire import OpenAiRequest
from studio.deploy.server.sampling import MAX_SEED, Sampling
from studio.deploy.server.spell import Token
from studio.deploy.server.stream import DONE, Json, event, event_stream
from studio.deploy.server.text import StopFilter

FINISH = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}
ANY_MODEL = (None, "tgi")


class Shape(Protocol):
    """How one route's answers look on the wire."""

    prefix: str
    whole_kind: str
    chunk_kind: str
    holds: bool
    """Whether a stream must wait for the whole answer before it may show any of it."""

    def whole(self, answer: Answer) -> dict[str, Any]:
        """A whole choice, without its index. Raises WireError if the answer may not be given."""
        ...

    def opening(self) -> dict[str, Any] | None:
        """What a streamed choice begins with."""
        ...

    def piece(self, text: str, tokens: list[Token]) -> dict[str, Any]:
        """A part of a streamed choice."""
        ...

    def held(self, answer: Answer) -> tuple[dict[str, Any], str]:
        """The whole answer as one part, and why it ended. Raises WireError if it may not be given."""
        ...

    def end(self, finish: str) -> dict[str, Any]:
        """The last part of a streamed choice."""
        ...


class OpenAiRoutes:
    """One engine under one name."""

    def __init__(self, engine: Engine, name: str, metrics: Metrics) -> None:
        self.engine, self.name, self.metrics = engine, name, metrics

    def check_name(self, asked: OpenAiRequest) -> None:
        """Never answer for another model's name with these weights. Raises WireError 404."""
        if asked.model not in (*ANY_MODEL, self.name):
            raise unknown_model(asked.model or "", self.name)

    async def reply(
        self, request: Request, asked: OpenAiRequest, ids: list[int], sampling: Sampling, shape: Shape
    ) -> Response:
        """The answer, whole or as a stream."""
        self.engine.check(ids, sampling, asked.choices)
        tickets = [Ticket(ids, _nth(sampling, choice), request.state.arrived) for choice in range(asked.choices)]
        if asked.stream:
            return event_stream(self._events(asked, tickets, shape), {"x-compute-type": self.engine.device})
        answers = await while_connected(request, collect(self.engine, self.metrics, tickets))
        choices = [{"index": place, **shape.whole(answer)} for place, answer in enumerate(answers)]
        body = {**self._head(shape.prefix, shape.whole_kind), "choices": choices, "usage": _usage(answers)}
        return Json(body, headers=headers(served(answers), self.engine.device))

    async def _events(self, asked: OpenAiRequest, tickets: list[Ticket], shape: Shape) -> AsyncIterator[bytes]:
        head = self._head(shape.prefix, shape.chunk_kind)
        answers = [Answer(ticket) for ticket in tickets]
        try:
            async with aclosing(_parts(self.engine, answers, shape)) as parts:
                async for choices in parts:
                    yield b"".join(event({**head, "choices": [choice], "usage": None}) for choice in choices)
            self.metrics.served(served(answers))
            if asked.wants_usage:
                yield event({**head, "choices": [], "usage": _usage(answers)})
        except WireError as error:
            self.metrics.failures[error.error_type] += 1
            yield event({"error": {"message": error.message, "http_status_code": error.status}})
        yield DONE

    def _head(self, prefix: str, kind: str) -> dict[str, Any]:
        return {
            "id": f"{prefix}-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": self.name,
            "system_fingerprint": "studio-embedded",
        }


async def _parts(engine: Engine, answers: list[Answer], shape: Shape) -> AsyncGenerator[list[dict[str, Any]]]:
    """Parts of choices as they may be sent: stop strings are never shown, not even their first letters."""
    filters = [StopFilter(answer.ticket.sampling.stop) for answer in answers]
    opening = shape.opening()
    if opening is not None:
        yield [{"index": place, **opening} for place in range(len(answers))]
    async with aclosing(together(engine, [answer.ticket for answer in answers])) as parts:
        async for place, tokens in parts:
            answer = answers[place]
            answer.tokens += tokens
            ended = tokens[-1].finish is not None
            every = answer.ticket.sampling.logprobs
            shown = [] if shape.holds else _shown(shape, filters[place], tokens, every)
            if ended:
                shown += _ending(shape, answer)
            if shown:
                yield [{"index": place, **choice} for choice in shown]


def _shown(shape: Shape, stops: StopFilter, tokens: list[Token], every: bool) -> list[dict[str, Any]]:
    """One part per token with text, or per token, so that a stream is the same however fast it was made."""
    shown = []
    for token in tokens:
        text = stops.release(token.whole, token.finish is not None)
        if text or every:
            shown.append(shape.piece(text, [token]))
    return shown


def _ending(shape: Shape, answer: Answer) -> list[dict[str, Any]]:
    if not shape.holds:
        return [shape.end(FINISH[answer.finish])]
    part, finish = shape.held(answer)
    return [part, shape.end(finish)]


def _nth(sampling: Sampling, choice: int) -> Sampling:
    """Several answers to one seed are different ones, and the same ones next time."""
    if not choice or sampling.seed is None:
        return sampling
    return replace(sampling, seed=(sampling.seed + choice) % MAX_SEED)


def _usage(answers: list[Answer]) -> dict[str, int]:
    prompt, completion = len(answers[0].ticket.ids), sum(len(answer.tokens) for answer in answers)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}

"""TGI's native routes: /generate, /generate_stream, and / which is either."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from studio.deploy.server.answer import Answer, collect, headers, served, while_connected
from studio.deploy.server.engine import Engine, Ticket
from studio.deploy.server.errors import WireError, invalid, unknown_model
from studio.deploy.server.metrics import Metrics
from studio.deploy.server.spell import Token
from studio.deploy.server.stream import Json, event, event_stream
from studio.deploy.server.wire import GenerateParameters, GenerateRequest, parse


class GenerateRoutes:
    """Text in, text out."""

    def __init__(self, engine: Engine, name: str, metrics: Metrics) -> None:
        self.engine, self.name, self.metrics = engine, name, metrics

    async def compat(self, request: Request, body: Any) -> Response:
        """POST /: what `InferenceClient.text_generation` calls; a plain reply is a list of one."""
        asked = self._parse(body)
        ticket = await self._ticket(request, asked)
        return self._stream(asked, ticket) if asked.stream else await self._whole(request, asked, ticket, as_list=True)

    async def generate(self, request: Request, body: Any) -> Response:
        """POST /generate."""
        asked = self._parse(body)
        return await self._whole(request, asked, await self._ticket(request, asked), as_list=False)

    async def generate_stream(self, request: Request, body: Any) -> Response:
        """POST /generate_stream."""
        asked = self._parse(body)
        return self._stream(asked, await self._ticket(request, asked))

    def _parse(self, body: Any) -> GenerateRequest:
        asked = parse(GenerateRequest, body)
        asked.refuse_unknown(frozenset({"model"}))
        adapter = asked.parameters.adapter_id
        if adapter not in (None, self.name):
            raise unknown_model(adapter or "", self.name)
        return asked

    async def _ticket(self, request: Request, asked: GenerateRequest) -> Ticket:
        sampling, cut = asked.parameters.sampling(), asked.parameters.truncate
        if not asked.inputs:
            raise invalid("`inputs` cannot be empty")
        if cut is not None and not 0 < cut < self.engine.max_total:
            raise invalid(f"`truncate` must be strictly positive and less than {self.engine.max_total}. Given: {cut}")
        ids = await self.engine.text.encode(asked.inputs)
        ids = ids[-cut:] if cut else ids
        self.engine.check(ids, sampling)
        return Ticket(ids, sampling, request.state.arrived)

    async def _whole(self, request: Request, asked: GenerateRequest, ticket: Ticket, as_list: bool) -> Response:
        answers = await while_connected(request, collect(self.engine, self.metrics, [ticket]))
        reply: dict[str, Any] = {"generated_text": _prefix(asked) + answers[0].text}
        if asked.parameters.details:
            reply["details"] = _details(answers[0], asked.parameters)
        return Json([reply] if as_list else reply, headers=headers(served(answers), self.engine.device))

    def _stream(self, asked: GenerateRequest, ticket: Ticket) -> Response:
        async def events() -> AsyncIterator[bytes]:
            answer, prefix = Answer(ticket), _prefix(asked)
            try:
                async with aclosing(self.engine.generate(ticket)) as parts:
                    async for tokens in parts:
                        answer.tokens += tokens
                        yield b"".join(event(_stream_event(token, ticket, prefix)) for token in tokens)
                self.metrics.served(served([answer]))
            except WireError as error:
                self.metrics.failures[error.error_type] += 1
                yield event(error.body)

        return event_stream(events(), {"x-compute-type": self.engine.device})


def _prefix(asked: GenerateRequest) -> str:
    return asked.inputs if asked.parameters.return_full_text else ""


def _wire_token(token: Token) -> dict[str, Any]:
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}


def _tops(token: Token) -> list[dict[str, Any]]:
    return [{"id": top.id, "text": top.text, "logprob": top.logprob, "special": top.special} for top in token.top]


def _details(answer: Answer, parameters: GenerateParameters) -> dict[str, Any]:
    details = {
        "finish_reason": answer.finish,
        "generated_tokens": len(answer.tokens),
        "seed": answer.ticket.pick.seed,
        "prefill": [],
        "tokens": [_wire_token(token) for token in answer.tokens],
    }
    return {**details, "top_tokens": [_tops(token) for token in answer.tokens]} if parameters.top_n_tokens else details


def _stream_event(token: Token, ticket: Ticket, prefix: str) -> dict[str, Any]:
    if token.finish is None:
        text = details = None
    else:
        text = prefix + token.whole
        details = {
            "finish_reason": token.finish,
            "generated_tokens": token.number,
            "seed": ticket.pick.seed,
            "input_length": len(ticket.ids),
        }
    return {
        "index": token.number,
        "token": _wire_token(token),
        "top_tokens": _tops(token),
        "generated_text": text,
        "details": details,
    }

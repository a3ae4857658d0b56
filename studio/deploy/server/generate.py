"""TGI's native routes: /generate, /generate_stream, and / which is either."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from studio.deploy.server.answer import Answer, collect, while_connected
from studio.deploy.server.engine import Engine, Token
from studio.deploy.server.errors import WireError, unknown_model
from studio.deploy.server.metrics import Metrics
from studio.deploy.server.stream import event, event_stream
from studio.deploy.server.wire import GenerateParameters, GenerateRequest, parse


class GenerateRoutes:
    """Text in, text out."""

    def __init__(self, engine: Engine, name: str, metrics: Metrics) -> None:
        self.engine, self.name, self.metrics = engine, name, metrics

    async def compat(self, request: Request, body: Any) -> Response:
        """POST /: what `InferenceClient.text_generation` calls; a plain reply is a list of one."""
        asked = self._parse(body)
        return self._stream(asked) if asked.stream else await self._whole(request, asked, as_list=True)

    async def generate(self, request: Request, body: Any) -> Response:
        """POST /generate."""
        return await self._whole(request, self._parse(body), as_list=False)

    async def generate_stream(self, _request: Request, body: Any) -> Response:
        """POST /generate_stream."""
        return self._stream(self._parse(body))

    def _parse(self, body: Any) -> GenerateRequest:
        asked = parse(GenerateRequest, body)
        adapter = asked.parameters.adapter_id
        if adapter not in (None, self.name):
            raise unknown_model(adapter or "", self.name)
        return asked

    def _ids(self, asked: GenerateRequest) -> list[int]:
        ids = self.engine.encode(asked.inputs)
        return ids[-asked.parameters.truncate :] if asked.parameters.truncate else ids

    async def _whole(self, request: Request, asked: GenerateRequest, as_list: bool) -> Response:
        work = collect(self.engine, self.metrics, self._ids(asked), asked.parameters.sampling())
        answer = await while_connected(request, work)
        prefix = asked.inputs if asked.parameters.return_full_text else ""
        reply: dict[str, Any] = {"generated_text": prefix + answer.text}
        if asked.parameters.details:
            reply["details"] = _details(answer, asked.parameters)
        return JSONResponse([reply] if as_list else reply, headers=answer.headers(self.engine.device))

    def _stream(self, asked: GenerateRequest) -> Response:
        ids, sampling = self._ids(asked), asked.parameters.sampling()
        self.engine.check(ids, sampling)

        async def events() -> AsyncIterator[str]:
            started = time.perf_counter()
            try:
                async with aclosing(self.engine.generate(ids, sampling)) as tokens:
                    async for token in tokens:
                        yield event(_stream_event(token, len(ids)))
                self.metrics.served(time.perf_counter() - started, len(ids), token.index)
            except WireError as error:
                self.metrics.failures[error.error_type] += 1
                yield event(error.body)

        return event_stream(events())


def _wire_token(token: Token) -> dict[str, Any]:
    return {"id": token.id, "text": token.text, "logprob": token.logprob, "special": token.special}


def _details(answer: Answer, parameters: GenerateParameters) -> dict[str, Any]:
    return {
        "finish_reason": answer.finish,
        "generated_tokens": len(answer.tokens),
        "seed": parameters.seed,
        "prefill": [],
        "tokens": [_wire_token(token) for token in answer.tokens],
    }


def _stream_event(token: Token, input_length: int) -> dict[str, Any]:
    ending = {
        "finish_reason": token.finish,
        "generated_tokens": token.index,
        "seed": None,
        "input_length": input_length,
    }
    return {
        "index": token.index,
        "token": _wire_token(token),
        "top_tokens": [],
        "generated_text": token.whole if token.finish else None,
        "details": ending if token.finish else None,
    }

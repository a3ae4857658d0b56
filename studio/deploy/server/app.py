"""The server's routes, its key check, and where errors become replies."""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from studio import __version__
from studio.deploy.server.answer import CallerGone
from studio.deploy.server.chat import ChatRoutes
from studio.deploy.server.completions import CompletionRoutes
from studio.deploy.server.engine import Engine
from studio.deploy.server.errors import Malformed, WireError, draining, incomplete
from studio.deploy.server.generate import GenerateRoutes
from studio.deploy.server.metrics import Metrics
from studio.deploy.server.sampling import MAX_STOPS
from studio.deploy.server.stream import Json
from studio.deploy.server.wire import TokenizeRequest, parse

Handler = Callable[[Request, Any], Awaitable[Response]]
CALLER_GONE = 499
WATCH_S = 1.0
PAYLOAD_LIMIT = 2_000_000


class Server:
    """One model under one name."""

    def __init__(self, engine: Engine, name: str, api_key: str = "") -> None:
        self.engine, self.name, self.metrics = engine, name, Metrics(engine.max_total)
        self.draining = False
        self._expected = f"Bearer {api_key}".encode() if api_key else b""

    def app(self) -> Starlette:
        """The ASGI application."""
        text = GenerateRoutes(self.engine, self.name, self.metrics)
        chat = ChatRoutes(self.engine, self.name, self.metrics)
        completions = CompletionRoutes(self.engine, self.name, self.metrics)
        posts: dict[str, Handler] = {
            "/": text.compat,
            "/generate": text.generate,
            "/generate_stream": text.generate_stream,
            "/v1/chat/completions": chat.complete,
            "/v1/completions": completions.complete,
            "/chat_tokenize": chat.tokenize,
            "/tokenize": self._tokenize,
        }
        gets = {
            "/": self._health,
            "/health": self._health,
            "/ping": self._health,
            "/info": self._info,
            "/metrics": self._metrics,
            "/v1/models": self._models,
        }
        routes = [Route(path, handler, methods=["GET"]) for path, handler in gets.items()]
        routes += [Route(path, self._guarded(handler), methods=["POST"]) for path, handler in posts.items()]
        return Starlette(routes=routes, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        watch = asyncio.create_task(self._leave_when_dead())
        yield
        watch.cancel()
        self.engine.stop()

    async def _leave_when_dead(self) -> None:
        """A server whose engine has died exits, so that whoever keeps it running starts a whole one."""
        while self.engine.alive:
            await asyncio.sleep(WATCH_S)
        os.kill(os.getpid(), signal.SIGTERM)

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            request.state.arrived = time.perf_counter()
            if not self._may(request):
                return Response(status_code=401)
            self.metrics.requests += 1
            try:
                if self.draining:
                    raise draining()
                return await handler(request, await _body(request))
            except (WireError, Malformed) as error:
                self.metrics.failures[getattr(error, "error_type", "malformed")] += 1
                return error.response()
            except (CallerGone, ClientDisconnect):
                self.metrics.failures["cancelled"] += 1
                return Response(status_code=CALLER_GONE)
            except Exception:  # whatever it is, its caller gets an answer and the log its trace
                traceback.print_exc(file=sys.stderr)
                self.metrics.failures["incomplete"] += 1
                return incomplete().response()

        return endpoint

    def _may(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode()
        return not self._expected or hmac.compare_digest(given, self._expected)

    async def _tokenize(self, _request: Request, body: Any) -> Response:
        asked = parse(TokenizeRequest, body)
        asked.refuse_unknown(frozenset({"parameters", "model", "stream"}))
        return Json(self.engine.text.spans(asked.inputs, asked.add_special_tokens))

    async def _health(self, _request: Request) -> Response:
        if self.engine.alive and not self.draining:
            return Response()
        return WireError(503, "unhealthy", "healthcheck").response()

    async def _info(self, _request: Request) -> Response:
        return Json(
            {
                "model_id": self.name,
                "model_sha": None,
                "model_pipeline_tag": "text-generation",
                "max_concurrent_requests": self.engine.options.max_concurrent,
                "max_best_of": 1,
                "max_stop_sequences": MAX_STOPS,
                "max_input_tokens": self.engine.max_total - 1,
                "max_total_tokens": self.engine.max_total,
                "validation_workers": 1,
                "max_client_batch_size": 1,
                "router": "studio-embedded",
                "version": __version__,
                "sha": None,
                "docker_label": None,
            }
        )

    async def _metrics(self, _request: Request) -> Response:
        return PlainTextResponse(self.metrics.text(self.engine.running, self.engine.waiting))

    async def _models(self, _request: Request) -> Response:
        entry = {"id": self.name, "object": "model", "created": 0, "owned_by": "studio"}
        return Json({"object": "list", "data": [entry]})


async def _body(request: Request) -> Any:
    """The request's JSON. Raises Malformed in the words of TGI's web framework."""
    if "json" not in request.headers.get("content-type", ""):
        raise Malformed("Expected request with `Content-Type: application/json`", 415)
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > PAYLOAD_LIMIT:
            raise Malformed("Failed to buffer the request body: length limit exceeded", 413)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"Failed to parse the request body as JSON: {error}", 400) from error

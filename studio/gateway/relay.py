"""Asking a model, at any endpoint: choose a route, relay the answer, record the call."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from studio.capture.recorder import Recorder
from studio.gateway.asking import Asking, Opened, cut
from studio.gateway.body import Body
from studio.gateway.call import CLIENT_CLOSED, Call, Counts
from studio.gateway.dialects import told_error
from studio.gateway.endpoints.endpoint import Endpoint
from studio.gateway.errors import ApiError, ClientLeft, Headers
from studio.gateway.headers import to_caller
from studio.gateway.http import JSON, Request
from studio.gateway.intakes.headers import answered_back
from studio.gateway.keys import INFER, KeyCache
from studio.gateway.limits import Limits
from studio.gateway.restore import ModelName, SameName
from studio.gateway.shadowing import Shadowing
from studio.gateway.upstream.errors import UpstreamError


@dataclass(frozen=True)
class Tools:
    """What every endpoint's handler works with."""

    keys: KeyCache
    limits: Limits
    asking: Asking
    recorder: Recorder
    counts: Counts
    shadowing: Shadowing
    max_body: int
    wait_s: float


class Relay:
    """Relays the calls of one endpoint."""

    def __init__(self, endpoint: Endpoint, tools: Tools) -> None:
        self._endpoint = endpoint
        self._tools = tools

    async def __call__(self, request: Request) -> None:
        """Answer one request, with errors in the form of the endpoint."""
        try:
            await self._answer(request)
        except ApiError as error:
            error.form = self._endpoint.errors
            raise

    async def _answer(self, request: Request) -> None:
        tools = self._tools
        key = await tools.keys.require(request, INFER)
        limits = tools.limits.admit(key)
        body = Body.read(await request.body(tools.max_body), request, self._endpoint)
        call = Call(key, body, tools.recorder, tools.counts, tools.limits.spent)
        try:
            async with request.until_left():
                await self._relay(request, call, limits)
            tools.shadowing.offer(call)
        except ApiError as error:
            call.fail(error)
            error.headers += limits
            await call.written()
            raise
        except ClientLeft:
            call.end("aborted", CLIENT_CLOSED, "The caller closed the connection before the answer was whole.")
            raise
        finally:
            call.end("bug", 500, "The gateway failed.")  # only if nothing else was recorded: a bug is a fact too

    async def _relay(self, request: Request, call: Call, limits: Headers) -> None:
        opened = await self._tools.asking.open(request, call)
        headers = to_caller(opened.reply.headers, call.uid, call.route, limits)
        headers += answered_back(request, call.uid, call.body.facts.get("trace_id"))
        try:
            if opened.is_stream:
                await self._stream(request, call, opened, headers)
            else:
                await self._whole(request, call, opened, headers)
        finally:
            opened.reply.release()

    async def _whole(self, request: Request, call: Call, opened: Opened, headers: Headers) -> None:
        call.keep_whole(opened.body)
        if opened.status < 300:
            call.end("ok", opened.status)
            await call.written()
            await request.respond(opened.status, headers, _names(call).in_body(opened.body))
            return
        status, body = told_error(opened.status, opened.body, call.route, self._endpoint.errors)
        call.end("error", status, _message(body))
        await call.written()
        await request.respond(status, [JSON, *(pair for pair in headers if pair[0] != b"content-type")], body)

    async def _stream(self, request: Request, call: Call, opened: Opened, headers: Headers) -> None:
        call.sse = True
        names, reply, piece = _names(call), opened.reply, opened.body
        await request.start(opened.status, headers)
        try:
            while piece:
                if call.keep(piece):
                    call.end("ok", opened.status)
                    await call.written()
                await request.send(names.feed(piece))
                piece = await reply.read(self._tools.wait_s)
        except UpstreamError as error:
            call.end("cut", opened.status, cut(error))
            await call.written()
            last = self._endpoint.errors.event(cut(error), "upstream_error", "upstream_cut")
            await request.finish(names.flush() if call.ended == "ok" else last)
            return
        call.end("ok", opened.status)
        await call.written()
        await request.finish(names.flush())


def _names(call: Call) -> ModelName:
    route = call.route
    return SameName() if route is None or route.upstream_model == call.body.model else ModelName(call.body.model)


def _message(body: bytes) -> str:
    found = orjson.loads(body)["error"]
    return str(found.get("message") or found)

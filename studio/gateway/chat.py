"""POST /v1/chat/completions: choose a route, relay the answer, record the call."""

from __future__ import annotations

import orjson

from studio.capture.recorder import Recorder
from studio.deploy.router import Route
from studio.gateway.body import ChatBody
from studio.gateway.call import CLIENT_CLOSED, Call
from studio.gateway.dialects import told_error
from studio.gateway.errors import ApiError, ClientLeft, error_body
from studio.gateway.headers import to_caller, to_upstream
from studio.gateway.http import Request
from studio.gateway.keys import KeyCache
from studio.gateway.restore import ModelName, SameName
from studio.gateway.routing import Routing
from studio.gateway.upstream.client import Upstreams
from studio.gateway.upstream.errors import UpstreamError, UpstreamTimeout
from studio.gateway.upstream.pool import Reply

TRY_ANOTHER = (424, 502, 503)
"""Nothing was answered: a failed generation (TGI's 424), a broken or an unavailable server."""
LONGEST_ANSWER = 64 << 20


class Chat:
    """Relays chat completions."""

    def __init__(
        self, keys: KeyCache, routing: Routing, upstreams: Upstreams, recorder: Recorder, max_body: int, wait_s: float
    ) -> None:
        self._keys = keys
        self._routing = routing
        self._upstreams = upstreams
        self._recorder = recorder
        self._max_body = max_body
        self._wait_s = wait_s

    async def __call__(self, request: Request) -> None:
        """Answer one request."""
        key = await self._keys.require(request)
        body = ChatBody.read(await request.body(self._max_body), request)
        call = Call(key, body, self._recorder)
        try:
            async with request.until_left():
                await self._relay(request, call)
        except ApiError as error:
            call.fail(error)
            raise
        except ClientLeft:
            call.end("aborted", CLIENT_CLOSED, "The caller closed the connection before the answer was whole.")
            raise
        finally:
            call.end("error", 500, "The gateway failed.")  # only if nothing else was recorded: a bug is a fact too

    async def _relay(self, request: Request, call: Call) -> None:
        reply = await self._open(request, call)
        try:
            if reply.is_stream and reply.status < 400:
                await self._stream(request, call, reply)
            else:
                await self._whole(request, call, reply)
        finally:
            reply.release()

    async def _open(self, request: Request, call: Call) -> Reply:
        """The reply of the first route that gives one; a server that is down costs nothing while another is up."""
        first = self._routing.pick(call.key.project_id, call.body.model, call.body.sticky_key)
        routes = [first]
        failed: UpstreamError | None = None
        while routes:
            call.route = route = routes.pop(0)
            if route is first:
                routes = self._routing.table.fallbacks(first)
            try:
                reply = await self._ask(request, call, route)
            except UpstreamTimeout as error:
                raise ApiError(504, _down(route, error), "upstream_error", "upstream_timeout") from error
            except UpstreamError as error:
                failed = error
                continue
            if reply.status not in TRY_ANOTHER or not routes:
                return reply
            reply.release()
        raise ApiError(502, _down(first, failed), "upstream_error", "upstream_unavailable")

    async def _ask(self, request: Request, call: Call, route: Route) -> Reply:
        headers = to_upstream(request, route, call.body.stream)
        return await self._upstreams.chat(route.base_url, headers, call.body.for_route(route), self._wait_s)

    async def _whole(self, request: Request, call: Call, reply: Reply) -> None:
        try:
            body = await reply.read_all(self._wait_s, LONGEST_ANSWER)
        except UpstreamError as error:
            raise ApiError(502, _cut(error), "upstream_error", "upstream_cut") from error
        call.keep(body)
        headers = to_caller(reply.headers, call.uid)
        if reply.status >= 400:
            status, body = told_error(reply.status, body)
            call.end("error", status, _message(body))
            headers = [pair for pair in headers if pair[0] != b"content-type"]
            await request.respond(status, [*headers, (b"content-type", b"application/json")], body)
            return
        call.end("ok", reply.status)
        await request.respond(reply.status, headers, _names(call).in_body(body))

    async def _stream(self, request: Request, call: Call, reply: Reply) -> None:
        call.sse = True
        names = _names(call)
        await request.start(reply.status, to_caller(reply.headers, call.uid))
        try:
            while piece := await reply.read(self._wait_s):
                if call.keep(piece):
                    call.end("ok", reply.status)
                await request.send(names.feed(piece))
        except UpstreamError as error:
            call.end("cut", reply.status, _cut(error))
            last = b"data: " + error_body(_cut(error), "upstream_error", "upstream_cut") + b"\n\n"
            await request.finish(names.flush() + (b"" if call.ended == "ok" else last))
            return
        call.end("ok", reply.status)
        await request.finish(names.flush())


def _names(call: Call) -> ModelName:
    route = call.route
    return SameName() if route is None or route.upstream_model == call.body.model else ModelName(call.body.model)


def _down(route: Route, error: UpstreamError | None) -> str:
    return f"The server of {route.name!r} does not answer: {error}. Nothing was lost; try again, or look at Deploy."


def _cut(error: UpstreamError) -> str:
    return f"The model's server stopped in the middle of its answer: {error}."


def _message(body: bytes) -> str:
    found = orjson.loads(body)["error"]
    return str(found.get("message") or found)

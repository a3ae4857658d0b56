"""POST /v1/chat/completions: choose a route, relay the answer, record the call."""

from __future__ import annotations

import orjson

from studio.capture.recorder import Recorder
from studio.gateway.asking import Asking, Opened, cut
from studio.gateway.body import ChatBody
from studio.gateway.call import CLIENT_CLOSED, Call, Counts
from studio.gateway.dialects import told_error
from studio.gateway.errors import ApiError, ClientLeft, error_body
from studio.gateway.headers import to_caller
from studio.gateway.http import JSON, Request
from studio.gateway.keys import KeyCache
from studio.gateway.restore import ModelName, SameName
from studio.gateway.shadowing import Shadowing
from studio.gateway.upstream.errors import UpstreamError


class Chat:
    """Relays chat completions."""

    def __init__(
        self,
        keys: KeyCache,
        asking: Asking,
        recorder: Recorder,
        counts: Counts,
        shadowing: Shadowing,
        max_body: int,
        wait_s: float,
    ) -> None:
        self._keys = keys
        self._asking = asking
        self._recorder = recorder
        self._counts = counts
        self._shadowing = shadowing
        self._max_body = max_body
        self._wait_s = wait_s

    async def __call__(self, request: Request) -> None:
        """Answer one request."""
        key = await self._keys.require(request)
        body = ChatBody.read(await request.body(self._max_body), request)
        call = Call(key, body, self._recorder, self._counts)
        try:
            async with request.until_left():
                await self._relay(request, call)
            self._shadowing.offer(call)
        except ApiError as error:
            call.fail(error)
            raise
        except ClientLeft:
            call.end("aborted", CLIENT_CLOSED, "The caller closed the connection before the answer was whole.")
            raise
        finally:
            call.end("bug", 500, "The gateway failed.")  # only if nothing else was recorded: a bug is a fact too

    async def _relay(self, request: Request, call: Call) -> None:
        opened = await self._asking.open(request, call)
        try:
            if opened.is_stream:
                await self._stream(request, call, opened)
            else:
                await self._whole(request, call, opened)
        finally:
            opened.reply.release()

    async def _whole(self, request: Request, call: Call, opened: Opened) -> None:
        call.keep(opened.body)
        headers = to_caller(opened.reply.headers, call.uid, call.route)
        if opened.status < 300:
            call.end("ok", opened.status)
            await request.respond(opened.status, headers, _names(call).in_body(opened.body))
            return
        status, body = told_error(opened.status, opened.body, call.route)
        call.end("error", status, _message(body))
        await request.respond(status, [JSON, *(pair for pair in headers if pair[0] != b"content-type")], body)

    async def _stream(self, request: Request, call: Call, opened: Opened) -> None:
        call.sse = True
        names, reply, piece = _names(call), opened.reply, opened.body
        await request.start(opened.status, to_caller(reply.headers, call.uid, call.route))
        try:
            while piece:
                if call.keep(piece):
                    call.end("ok", opened.status)
                await request.send(names.feed(piece))
                piece = await reply.read(self._wait_s)
        except UpstreamError as error:
            call.end("cut", opened.status, cut(error))
            last = b"data: " + error_body(cut(error), "upstream_error", "upstream_cut") + b"\n\n"
            await request.finish(names.flush() + (b"" if call.ended == "ok" else last))
            return
        call.end("ok", opened.status)
        await request.finish(names.flush())


def _names(call: Call) -> ModelName:
    route = call.route
    return SameName() if route is None or route.upstream_model == call.body.model else ModelName(call.body.model)


def _message(body: bytes) -> str:
    found = orjson.loads(body)["error"]
    return str(found.get("message") or found)

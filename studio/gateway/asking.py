"""Asking: tries the routes of a call one after the other until one gives a first byte; then there is no way back."""

from __future__ import annotations

import time
from dataclasses import dataclass

from studio.deploy.router import Route
from studio.gateway.call import Call
from studio.gateway.dialects import begins_error, error_event, servers_fault
from studio.gateway.errors import ApiError
from studio.gateway.headers import to_upstream
from studio.gateway.http import Request
from studio.gateway.routing import Routing
from studio.gateway.upstream.client import Upstreams
from studio.gateway.upstream.errors import UpstreamCut, UpstreamError, UpstreamTimeout
from studio.gateway.upstream.pool import Reply

LONGEST_ANSWER = 64 << 20
SHORTEST_WAIT_S = 0.05


@dataclass
class Opened:
    """A reply whose first byte is there: the whole body, or the first piece of a stream."""

    reply: Reply
    status: int
    body: bytes
    is_stream: bool


class Asking:
    """A server that is down, busy or late costs the caller nothing while another is up."""

    def __init__(self, routing: Routing, upstreams: Upstreams, wait_s: float) -> None:
        self._routing = routing
        self._upstreams = upstreams
        self._wait_s = wait_s

    async def open(self, request: Request, call: Call) -> Opened:
        """The answer of the first route that gives one, else the last one's error. Raises ApiError."""
        first = self._routing.pick(call.key.project_id, call.body.model, call.body.sticky_key, call.body.endpoint.kind)
        call.body.refuse_choice_of_weights(first)
        call.begin(first)
        left = [route for route in self._routing.table.fallbacks(first) if route.kind == first.kind]
        route = first
        while left:
            if (opened := await self._try(request, call, route)) is not None:
                return opened
            call.attempt_failed()
            route = left.pop(0)
            call.begin(route)
        try:
            return await self._ask(request, call, route, self._wait_s)
        except UpstreamError as error:
            raise told(route, error) from error

    async def _try(self, request: Request, call: Call, route: Route) -> Opened | None:
        """The answer, or None when the next route is to be asked."""
        try:
            opened = await self._ask(request, call, route, min(route.timeout_s or self._wait_s, self._wait_s))
        except UpstreamError:
            return None
        if not servers_fault(opened.status, route):
            return opened
        opened.reply.release()
        return None

    async def _ask(self, request: Request, call: Call, route: Route, wait_s: float) -> Opened:
        until = time.perf_counter() + wait_s
        headers, path = to_upstream(request, route, call.body.stream), call.body.endpoint.path_for(request.query)
        reply = await self._upstreams.post(route.base_url, path, headers, call.body.for_route(route), wait_s)
        try:
            left_s = max(until - time.perf_counter(), SHORTEST_WAIT_S)
            return await self._first(reply, left_s, call.body.endpoint.failures)
        except BaseException:
            reply.release()
            raise

    async def _first(self, reply: Reply, wait_s: float, failures: tuple[bytes, ...]) -> Opened:
        """A server may send its head at once and then never a word: only a first byte of the body is an answer."""
        piece = await reply.read(wait_s)
        if reply.is_stream and reply.status < 300:
            if not piece:
                raise UpstreamError("it closed the stream before its first piece")
            while begins_error(piece) and (more := await reply.read(wait_s)):
                piece += more
            if found := error_event(piece, failures):
                return Opened(reply, *found, is_stream=False)
            return Opened(reply, reply.status, piece, is_stream=True)
        if reply.is_read:
            return Opened(reply, reply.status, piece, is_stream=False)
        try:
            rest = await reply.read_all(self._wait_s, LONGEST_ANSWER) if piece else b""
        except UpstreamError as error:
            raise UpstreamCut(str(error)) from error
        return Opened(reply, reply.status, piece + rest if rest else piece, is_stream=False)


def told(route: Route, error: UpstreamError) -> ApiError:
    """What the caller hears when nobody is left to ask."""
    if isinstance(error, UpstreamCut):
        return ApiError(502, cut(error), "upstream_error", "upstream_cut")
    down = f"The server of {route.name!r} does not answer: {error}. Nothing was lost; try again, or look at Deploy."
    if isinstance(error, UpstreamTimeout):
        return ApiError(504, down, "upstream_error", "upstream_timeout")
    return ApiError(502, down, "upstream_error", "upstream_unavailable")


def cut(error: UpstreamError) -> str:
    """Told when an answer stops in the middle."""
    return f"The model's server stopped in the middle of its answer: {error}."

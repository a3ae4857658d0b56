"""The gateway as an application: a table of routes, one place that turns errors into answers, and background work."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable

from studio.gateway.errors import ApiError, ClientLeft, not_possible
from studio.gateway.http import JSON, Message, Receive, Request, Send

Handler = Callable[[Request], Awaitable[None]]
Background = Callable[[], Awaitable[None]]

PREPARE_S = 5.0
CLIENT_CLOSED = 499

log = logging.getLogger(__name__)


class Gateway:
    """Serves a table of (method, path, handler); `{name}` in a path is a parameter."""

    def __init__(
        self,
        routes: list[tuple[str, str, Handler]],
        background: list[Background],
        on_stop: Callable[[], None],
        answers: Counter[int],
        first: Background | None = None,
        last: Background | None = None,
    ) -> None:
        self.paths = [(method, path) for method, path, _ in routes]
        self._exact = {(method, path): handler for method, path, handler in routes if "{" not in path}
        self._patterns = [(method, _pattern(path), handler) for method, path, handler in routes if "{" in path]
        self._background = background
        self._first = first
        self._last = last
        self._on_stop = on_stop
        self.answers = answers
        self._working: list[asyncio.Future[None]] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self.answer(Request(scope, receive, send))

    async def answer(self, request: Request) -> None:
        """Answer one request."""
        try:
            await self._handler(request)(request)
        except ApiError as error:
            await request.respond(error.status, [JSON, *error.headers], error.body())
        except ClientLeft:
            self.answers[CLIENT_CLOSED] += 1
        finally:
            if request.status:
                self.answers[request.status] += 1

    def _handler(self, request: Request) -> Handler:
        path = request.path.rstrip("/") or "/"
        wanted = "GET" if request.method == "HEAD" else request.method
        if found := self._exact.get((wanted, path)):
            return found
        allowed = [method for method, exact in self._exact if exact == path]
        for method, pattern, handler in self._patterns:
            if match := pattern.fullmatch(path):
                if method == wanted:
                    request.parameters = match.groupdict()
                    return handler
                allowed.append(method)
        if allowed:
            raise not_possible(request.method, allowed)
        raise ApiError(404, f"There is nothing at {path[:200]}. Chat is at /v1/chat/completions.", code="not_found")

    async def _prepare(self) -> None:
        """What has to be there before the first caller is; if it takes long, callers are told so instead."""
        if self._first:
            await asyncio.wait([asyncio.ensure_future(self._first())], timeout=PREPARE_S)

    async def start(self) -> None:
        """Get ready, and begin the background work."""
        await self._prepare()
        self._working = [asyncio.ensure_future(work()) for work in self._background]

    async def stop(self) -> None:
        """End the background work, and keep what it would have kept."""
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        if self._last:
            await self._last()
        self._on_stop()

    async def _live(self, receive: Receive, send: Send) -> None:
        """The same under an ASGI server."""
        while (await receive())["type"] == "lifespan.startup":
            await self.start()
            await send({"type": "lifespan.startup.complete"})
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

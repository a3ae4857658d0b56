"""The ASGI application: a table of routes, one place that turns errors into answers, and the background work."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable

from studio.gateway.errors import ApiError, ClientLeft, Headers
from studio.gateway.http import JSON, Message, Receive, Request, Send

Handler = Callable[[Request], Awaitable[None]]
Background = Callable[[], Awaitable[None]]

PREPARE_S = 5.0

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
    ) -> None:
        self._exact = {(method, path): handler for method, path, handler in routes if "{" not in path}
        self._patterns = [(method, _pattern(path), handler) for method, path, handler in routes if "{" in path]
        self._paths = {path for _, path, _ in routes if "{" not in path}
        self._background = background
        self._first = first
        self._on_stop = on_stop
        self._answers = answers

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(Request(scope, receive, self._counted(send)))

    async def _serve(self, request: Request) -> None:
        try:
            await self._handler(request)(request)
        except ApiError as error:
            await request.respond(error.status, [JSON, *error.headers, *_close(error)], error.body())
        except ClientLeft:
            self._answers[499] += 1

    def _handler(self, request: Request) -> Handler:
        path = request.path.rstrip("/") or "/"
        if found := self._exact.get((request.method, path)):
            return found
        for method, pattern, handler in self._patterns:
            if method == request.method and (match := pattern.fullmatch(path)):
                request.parameters = match.groupdict()
                return handler
        if path in self._paths:
            raise ApiError(405, f"{request.method} is not possible here.", code="method_not_allowed")
        raise ApiError(404, f"There is nothing at {path[:200]}. Chat is at /v1/chat/completions.", code="not_found")

    async def _prepare(self) -> None:
        """What has to be there before the first caller is; if it takes long, callers are told so instead."""
        if self._first:
            await asyncio.wait([asyncio.ensure_future(self._first())], timeout=PREPARE_S)

    def _counted(self, send: Send) -> Send:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answers[message["status"]] += 1
            await send(message)

        return counted

    async def _live(self, receive: Receive, send: Send) -> None:
        """Run the background work from the server's start to its end."""
        tasks: list[asyncio.Future[None]] = []
        while (await receive())["type"] == "lifespan.startup":
            await self._prepare()
            tasks = [asyncio.ensure_future(work()) for work in self._background]
            await send({"type": "lifespan.startup.complete"})
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._on_stop()
        await send({"type": "lifespan.shutdown.complete"})


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


def _close(error: ApiError) -> Headers:
    return [(b"connection", b"close")] if error.status == 413 else []

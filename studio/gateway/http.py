"""One HTTP request over ASGI: its headers and body, its answer, and whether the caller is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson

from studio.gateway.errors import ApiError, ClientLeft, Headers, too_large

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")


class Request:
    """One request of an ASGI server. The gateway's own server has its own kind (`server/exchange.py`)."""

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: str = scope.get("query_string", b"").decode("latin-1")
        self.headers: Headers = scope["headers"]
        self.parameters: dict[str, str] = {}
        self.status = 0
        """The answer's, once it has begun."""
        self._values: dict[bytes, bytes] = dict(self.headers)
        self._receive = receive
        self._send = send
        self._left = self._answered = False

    def header(self, name: bytes) -> str:
        """A header's value, or nothing."""
        return self._values.get(name, b"").decode("latin-1")

    async def body(self, most: int) -> bytes:
        """The whole body. Raises ApiError 413 as soon as it is longer than `most`."""
        declared = self.header(b"content-length")
        if declared.isdigit() and int(declared) > most:
            raise too_large(most)
        pieces, size, more = [], 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeft()
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            more = message.get("more_body", False)
            if size > most:
                raise too_large(most)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def json(self, most: int) -> Any:
        """The body as JSON. Raises ApiError 400 with the place of the mistake."""
        return parse(await self.body(most))

    def until_left(self) -> AbstractAsyncContextManager[None]:
        """Stop the block with ClientLeft as soon as the caller closes the connection."""
        return self._until_left()

    @asynccontextmanager
    async def _until_left(self) -> AsyncIterator[None]:
        task = asyncio.current_task()
        assert task is not None
        watcher = asyncio.ensure_future(self._watch(task))
        try:
            yield
        except asyncio.CancelledError:
            if not self._left:
                raise
            task.uncancel()
            raise ClientLeft() from None
        finally:
            watcher.cancel()

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.finish(body)

    async def respond_json(self, status: int, value: Any, headers: Headers | None = None) -> None:
        """Send a JSON answer."""
        await self.respond(status, [JSON, *(headers or [])], orjson.dumps(value))

    async def start(self, status: int, headers: Headers) -> None:
        """Send the answer's head."""
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, piece: bytes) -> None:
        """Send a piece of the body."""
        if piece:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def finish(self, body: bytes = b"") -> None:
        """Send the last piece."""
        self._answered = True
        await self._send({"type": "http.response.body", "body": body})

    async def _watch(self, task: asyncio.Task[Any]) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                if not self._answered:
                    self._left = True
                    task.cancel()
                return


def parse(body: bytes) -> Any:
    """JSON from outside. Raises ApiError 400 with the place of the mistake."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ApiError(400, f"The body is not valid JSON at {place}: {error.msg}.", code="invalid_json") from error

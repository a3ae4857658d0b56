"""One request on a caller's connection, and its answer."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from studio.gateway.errors import ApiError, ClientLeft, Headers, too_large
from studio.gateway.http import Request
from studio.gateway.server.answers import BODILESS, CHUNKED, CLOSE, CONTINUE, LAST_CHUNK, STAY, head

if TYPE_CHECKING:
    from studio.gateway.server.line import Line

LONGEST_KNOWN = 200
"""Bytes of a target that is remembered; callers ask for the same few over and over."""


class Exchange(Request):
    """A request as its connection has read it so far."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.method = self.path = self.query = ""
        self.target = b""
        self.headers: Headers = []
        self.parameters = {}
        self.status = 0
        self.old = False
        """Whether the caller speaks HTTP/1.0."""
        self.stays = True
        """Whether the caller wants to keep the connection."""
        self.ready = False
        """Whether the headers are complete."""
        self.whole = False
        """Whether all of the body is there."""
        self.answered = False
        self.size = 0
        self._pieces: list[bytes] = []
        self._most: int | None = None
        self._error: ApiError | ClientLeft | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._head = b""
        self._chunked = False

    # what the connection reads

    def begin(self, method: str, old: bool, stays: bool) -> None:
        """All headers are there."""
        self.method, self.old, self.stays, self.ready = method, old, stays, True
        read = _known_path if len(self.target) <= LONGEST_KNOWN else _path
        self.path, self.query = read(self.target)
        self._values = dict(self.headers)

    def take(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        self.size += len(piece)
        if self.answered or self._error:
            return
        if self._most is not None and self.size > self._most:
            self.fail(too_large(self._most))
            return
        self._pieces.append(piece)

    def end(self) -> None:
        """The body is complete."""
        self.whole = True
        self._wake()

    def fail(self, error: ApiError | ClientLeft) -> None:
        """The body will never be complete: whoever waits for it hears why."""
        self._error = self._error or error
        self._pieces.clear()
        self._wake()

    def leave(self) -> None:
        """The caller is gone: stop what is done for them."""
        if not self.whole:
            self.fail(ClientLeft())
        if self._worker is not None and not self.answered:
            self._worker.cancel()

    @property
    def awaited(self) -> bool:
        """Whether somebody wants the body."""
        return self._most is not None

    # what handlers ask

    async def body(self, most: int) -> bytes:
        """The whole body. Raises ApiError 413 as soon as it is longer than `most`, 408 when it never comes."""
        declared = self.header(b"content-length")
        if self.size > most or (declared.isdigit() and int(declared) > most):
            raise too_large(most)
        if not self.whole and self._error is None:
            await self._rest(most)
        if self._error is not None:
            raise self._error
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)

    def until_left(self) -> _UntilLeft:
        """Stop the block with ClientLeft as soon as the caller closes the connection."""
        return _UntilLeft(self)

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer, in one write."""
        self.status, self.answered = status, True
        if status in BODILESS:
            self.line.write(head(status, [*headers, *self._connection()]))
            return
        first = head(status, [*headers, (b"content-length", b"%d" % len(body)), *self._connection()])
        self.line.write(first if self.method == "HEAD" else first + body)

    async def start(self, status: int, headers: Headers) -> None:
        """The answer's head; it goes with the first piece."""
        self.status = status
        sized = any(name == b"content-length" for name, _ in headers)
        self._chunked = not sized and not self.old and status not in BODILESS
        self.stays = self.stays and (sized or self._chunked)
        self._head = head(status, [*headers, *([CHUNKED] if self._chunked else ()), *self._connection()])

    async def send(self, piece: bytes) -> None:
        """Send a piece of the body; waits while the caller is slow."""
        first, self._head = self._head, b""
        if self.method == "HEAD":
            piece = b""
        if piece and self._chunked:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        if first or piece:
            self.line.write(first + piece)
            await self.line.drained()

    async def finish(self, body: bytes = b"") -> None:
        """Send the last piece."""
        first, self._head, self.answered = self._head, b"", True
        if self.method == "HEAD":
            self.line.write(first)
        elif self._chunked:
            self.line.write(first + (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + LAST_CHUNK)
        else:
            self.line.write(first + body)

    async def _rest(self, most: int) -> None:
        self._most = most
        if self.header(b"expect").lower() == "100-continue" and not self.size and not self.old:
            self.line.write(CONTINUE)
        self.line.wants_body()
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _connection(self) -> Headers:
        if not self.line.keeps(self):
            return [CLOSE]
        return [STAY] if self.old else []


class _UntilLeft:
    """A block that ends when the caller leaves: the connection cancels the task that is in it."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def __aenter__(self) -> None:
        if self._exchange.line.lost:
            raise ClientLeft()
        self._exchange._worker = self._exchange.line.task

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        worker, self._exchange._worker = self._exchange._worker, None
        if kind is asyncio.CancelledError and worker is not None and self._exchange.line.lost:
            worker.uncancel()
            raise ClientLeft() from None


def _path(target: bytes) -> tuple[str, str]:
    text = target.decode("latin-1")
    if not text.startswith("/"):
        parts = urlsplit(text)  # a proxy's form: http://host/path
        text = f"{parts.path or '/'}?{parts.query}"
    path, _, query = text.partition("?")
    path = path.partition("#")[0]
    return (unquote(path) if "%" in path else path), query


_known_path = lru_cache(256)(_path)

"""A caller's connection: requests are read, answered one after the other, and never waited for without end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from typing import Any, Protocol

import httptools

from studio.gateway.errors import ApiError
from studio.gateway.server import limits
from studio.gateway.server.answers import whole_error
from studio.gateway.server.exchange import Exchange

NEVER = float("inf")


class Home(Protocol):
    """What a connection belongs to."""

    lines: set[Line]
    tasks: set[asyncio.Task[None]]
    answers: Counter[int]
    leaving: bool

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        ...


class Line(asyncio.Protocol):
    """One connection. One of its requests is being answered at a time; those behind it wait."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.lost = False
        self.deadline = NEVER
        self.task: asyncio.Task[None]
        """Answers the current request."""
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._parser = httptools.HttpRequestParser(self)
        self._current: Exchange | None = None
        """The request that is being answered."""
        self._incoming: Exchange | None = None
        """The request that is being read; it may be the current one."""
        self._waiting: deque[Exchange] = deque()
        self._refusal: ApiError | None = None
        """Told when those before have their answers."""
        self._deaf = self._ending = self._held = False
        self._began = 0.0
        self._raw = self._head = self._untaken = 0
        self._drained: asyncio.Future[None] | None = None

    # asyncio's callbacks

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        self._transport = transport
        self.home.lines.add(self)
        self.deadline = time.monotonic() + limits.KEEP_ALIVE_S

    def data_received(self, data: bytes) -> None:
        """Read on, and answer what is ready."""
        if self._deaf:
            return
        self._raw += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._deaf = True  # an upgrade is not offered: the request is answered as it is, and nothing after it
        except httptools.HttpParserError:
            self._refuse(limits.malformed())
        if self._incoming is not None:
            self._check(self._incoming)
        if self._current is None:
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """Stop what is done for the caller."""
        self.lost = self._deaf = self._ending = True
        self.home.lines.discard(self)
        self._waiting.clear()
        self.resume_writing()
        if self._current is not None:
            self._current.leave()

    def pause_writing(self) -> None:
        """The caller is slow: whoever sends waits."""
        self._drained = self._loop.create_future()
        self._must_take(limits.STALLED_S)

    def resume_writing(self) -> None:
        """The caller has taken most of what there was."""
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)
            self._set_deadline()

    # httptools' callbacks

    def on_message_begin(self) -> None:
        """Another request begins."""
        if self._deaf or len(self._waiting) >= limits.MOST_WAITING:
            self._deaf = True
            return
        self._incoming = Exchange(self)
        self._began, self._head = time.monotonic(), 0

    def on_url(self, url: bytes) -> None:
        """The request's target, or a piece of it."""
        if (incoming := self._incoming) is not None:
            incoming.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers are dropped."""
        incoming = self._incoming
        if incoming is None or incoming.ready:
            return
        self._head += len(name) + len(value)
        if self._head > limits.MOST_HEAD or len(incoming.headers) >= limits.MOST_HEADERS:
            self._refuse(limits.head_too_large())
        else:
            incoming.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The request can be begun with."""
        if (incoming := self._incoming) is not None:
            parser = self._parser
            old = parser.get_http_version() == "1.0"
            incoming.begin(parser.get_method().decode("latin-1"), old, parser.should_keep_alive())
            self._waiting.append(incoming)

    def on_body(self, body: bytes) -> None:
        """Hand a piece on."""
        if self._incoming is not None:
            self._incoming.take(body)

    def on_message_complete(self) -> None:
        """The request is all there."""
        if (incoming := self._incoming) is not None:
            self._incoming = None
            self._raw = 0
            incoming.end()
            if incoming is self._current:
                self._set_deadline()

    # what exchanges and the server ask

    def write(self, data: bytes) -> None:
        """Send bytes, unless nobody is there."""
        if not self._ending:
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait while the caller is slow."""
        if self._drained is not None:
            await self._drained

    def wants_body(self) -> None:
        """Read on: somebody waits for the body."""
        if self._held:
            self._held = False
            self._transport.resume_reading()

    def keeps(self, exchange: Exchange) -> bool:
        """Whether another answer may follow this one."""
        last = self._deaf and not self._waiting
        return exchange.stays and exchange.whole and not last and not self.home.leaving

    def late(self, now: float) -> None:
        """The deadline has passed."""
        reading = self._current or self._incoming
        if self._ending or self._drained is not None:
            if 0 < self._transport.get_write_buffer_size() < self._untaken:
                self._must_take(limits.STALLED_S)  # slow, but they go on taking it
            else:
                self._transport.abort()
        elif reading is None:
            self.end()
        elif (until := self._began + limits.READ_S + self._raw / limits.SLOWEST) > now:
            self.deadline = until
        else:
            self._refuse(limits.too_slow())
            if self._current is None:
                self._next()

    def end(self) -> None:
        """Close, unless something is being answered."""
        if self._current is None and not self._ending:
            self._ending = self._deaf = True
            self._must_take(limits.STALLED_S)
            self._transport.close()

    # reading

    def _check(self, incoming: Exchange) -> None:
        """A request that is not complete may neither be too large nor make the line hold too much."""
        if not incoming.ready:
            if self._raw > limits.MOST_HEAD:
                self._refuse(limits.head_too_large())
        elif self._raw > limits.MOST_HEAD + limits.MOST_FRAMING + limits.FRAMING * incoming.size:
            self._refuse(limits.malformed())
        elif incoming.size > limits.UNREAD and not incoming.awaited and not self._held:
            self._held = True
            self._transport.pause_reading()
        if self._current is None or self._current is incoming:
            self._set_deadline()

    def _refuse(self, error: ApiError) -> None:
        """Read no more. Whoever waits for the rest of a request hears why; nobody yet: the caller is told in turn."""
        self._deaf = True
        incoming, self._incoming = self._incoming, None
        if incoming is not None and incoming.ready:
            incoming.fail(error)
        else:
            self._refusal = error
        self._set_deadline()

    def _must_take(self, within_s: float) -> None:
        """Expect the caller to take some of what was sent by then."""
        self._untaken = self._transport.get_write_buffer_size()
        self.deadline = time.monotonic() + within_s

    def _set_deadline(self) -> None:
        now = time.monotonic()
        if self._drained is not None:
            self._must_take(limits.STALLED_S)
        elif self._current is not None:
            self.deadline = self._began + limits.READ_S if self._current is self._incoming else NEVER
        elif self._incoming is not None:
            self.deadline = self._began + limits.READ_S
        else:
            self.deadline = now + limits.KEEP_ALIVE_S

    # answering

    def _next(self) -> None:
        """Answer the request that is next, or tell why there will be none."""
        if self._waiting:
            current = self._current = self._waiting.popleft()
            if current.whole:
                self.deadline = NEVER
            self.task = self._loop.create_task(self._answer(current))
            self.home.tasks.add(self.task)
        elif (error := self._refusal) is not None:
            self._refusal = None
            self.home.answers[error.status] += 1
            self.write(whole_error(error))
            self._linger()

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self.home.serve(exchange)
        finally:
            self.home.tasks.discard(self.task)
            self._current = None
            if not self.lost:
                self._go_on(exchange)

    def _go_on(self, exchange: Exchange) -> None:
        """After an answer: the next request, or the end."""
        if not exchange.answered:
            self._ending = True
            self._transport.abort()
        elif not exchange.whole:
            self._linger()
        elif not exchange.stays or self.home.leaving:
            self.end()
        elif self._waiting or self._refusal:
            self._next()
        elif self._deaf:
            self.end()
        else:
            self._began = time.monotonic()
            self._set_deadline()

    def _linger(self) -> None:
        """Throw away what still comes, so that the caller gets to read the answer."""
        self._ending = self._deaf = True
        self._must_take(limits.LINGER_S)
        self.wants_body()
        self._transport.write_eof()

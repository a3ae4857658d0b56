"""One connection to an upstream: writes a request, parses the reply, hands its body over piece by piece."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol

import httptools

from studio.gateway.upstream.errors import StaleConnection, UpstreamError, UpstreamTimeout

HIGH_WATER = 1 << 18
"""Unread bytes at which the upstream is asked to wait."""

NEVER = float("inf")
NO_ANSWER = "it sent no answer within {:g} s"
SILENT = "it was silent for {:g} s in the middle of its answer"
Headers = list[tuple[bytes, bytes]]


class Home(Protocol):
    """Where a connection goes when it is free."""

    def keep(self, connection: Connection) -> None:
        """Take it back for the next request."""
        ...

    def discard(self, connection: Connection) -> None:
        """Forget it."""
        ...


class Connection(asyncio.Protocol):
    """Carries one request at a time."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.transport: Any = None
        self.used = 0
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._until = NEVER
        self._late = ""
        self._wait_s = 0.0
        self._head: asyncio.Future[tuple[int, Headers]] | None = None
        self._ended = True

    def request(self, data: bytes, wait_s: float) -> asyncio.Future[tuple[int, Headers]]:
        """Send a whole request; the future holds status and headers."""
        self._headers: Headers = []
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._paused = self._ended = self._answered = self._reusable = False
        self._error: UpstreamError | None = None
        self._reader: asyncio.Future[None] | None = None
        self._head = self._loop.create_future()
        self._wait(wait_s, NO_ANSWER)
        self.transport.write(data)
        return self._head

    async def read(self, wait_s: float) -> bytes:
        """The next bytes of the body; empty at its end. Raises UpstreamError when it was cut, or is late."""
        while (body := self.take()) is None:
            self._wait(wait_s, SILENT)
            self._reader = self._loop.create_future()
            await self._reader
        return body

    @property
    def is_read(self) -> bool:
        """Whether the whole reply has come and was taken."""
        return self._ended and not self._pieces

    def take(self) -> bytes | None:
        """What is there already; empty at the end, None while there is nothing yet. Raises UpstreamError."""
        if not self._pieces:
            if self._ended:
                return b""
            if self._error:
                raise self._error
            return None
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._unread = 0
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        return body

    def release(self) -> None:
        """Give the connection back if the reply was read to its end, else close it."""
        if self._ended and self._reusable and not self._pieces and not self.transport.is_closing():
            self._head = None
            self.home.keep(self)
        else:
            self.transport.abort()

    def fail(self, error: UpstreamError) -> None:
        """Let whoever waits know that it is over."""
        self._error = error
        if self._head and not self._head.done():
            self._head.set_exception(error)
        self._wake()

    # asyncio's callbacks

    def connection_made(self, transport: Any) -> None:
        """Remember where to write."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Feed the parser; bytes nobody asked for close the connection."""
        if self._head is None:
            self.transport.close()
            return
        self._answered = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.fail(UpstreamError(f"it sent something that is not HTTP ({error})"))
            self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """End a reply that runs until the connection closes; anything else unfinished was cut."""
        self.home.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._ended:
            return
        if error is None and self._answered and self._runs_until_closed():
            self._ended = True
            self._wake()
        else:
            lost = StaleConnection if self.used and not self._answered else UpstreamError
            self.fail(lost("it closed the connection before the answer was whole"))

    # httptools' callbacks

    def on_message_begin(self) -> None:
        """Only one reply was asked for; bytes behind it end the connection."""
        if self._ended:
            raise UpstreamError("it sent more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Hand status and headers over; interim answers (100, 103) are passed by."""
        status = self._parser.get_status_code()
        if status < 200:
            self._headers = []
        elif self._head and not self._head.done():
            self._until = NEVER
            self._head.set_result((status, self._headers))

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(body)
        self._unread += len(body)
        if self._unread > HIGH_WATER and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """Note the end of the reply."""
        if self._parser.get_status_code() < 200:
            return
        self._ended = True
        self._reusable = self._parser.should_keep_alive()
        self.used += 1
        self._wake()

    def _wait(self, wait_s: float, late: str) -> None:
        """Fail if nothing has come by then. A timer is set once for many waits: most are over before."""
        self._until, self._late, self._wait_s = self._loop.time() + wait_s, late, wait_s
        if self._timer is None or self._timer.when() > self._until:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._until, self._rung)

    def _rung(self) -> None:
        self._timer = None
        if self._ended or self._until == NEVER:
            return
        if self._until > self._loop.time():
            self._set_timer()
        else:
            self.fail(UpstreamTimeout(self._late.format(self._wait_s)))

    def _wake(self) -> None:
        self._until = NEVER
        if self._reader and not self._reader.done():
            self._reader.set_result(None)
        self._reader = None

    def _runs_until_closed(self) -> bool:
        names = {name for name, _ in self._headers}
        return bool(self._head and self._head.done()) and not names & {b"content-length", b"transfer-encoding"}

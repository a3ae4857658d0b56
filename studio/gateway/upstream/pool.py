"""Connections to one origin, kept open between requests."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from urllib.parse import urlsplit

from studio.gateway.upstream.connection import Connection, Headers
from studio.gateway.upstream.errors import StaleConnection, UpstreamError

CONNECT_TIMEOUT_S = 5.0
MOST_IDLE = 512


class Pool:
    """Sends requests to the origin of `base_url`, and nowhere else: redirects are not followed."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self.tls = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.tls else 80)
        self._host_header = parts.netloc.rpartition("@")[2].encode()
        self._context = ssl.create_default_context() if self.tls else None
        self._idle: deque[Connection] = deque()

    async def post(self, path: bytes, headers: Headers, body: bytes, wait_s: float) -> Reply:
        """Send a request and wait for the reply's head. Raises UpstreamError."""
        data = self._serialised(path, headers, body)
        while True:
            connection = self._free() or await self._dial(min(CONNECT_TIMEOUT_S, wait_s))
            try:
                return await self._send(connection, data, wait_s)
            except StaleConnection:
                continue  # only a reused connection is ever stale, and each is tried once

    def keep(self, connection: Connection) -> None:
        """Take a connection back."""
        if len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.transport.close()

    def discard(self, connection: Connection) -> None:
        """Forget a connection that closed."""
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close the connections that wait for work."""
        for connection in self._idle:
            connection.transport.close()

    async def _send(self, connection: Connection, data: bytes, wait_s: float) -> Reply:
        try:
            status, headers = await connection.request(data, wait_s)
        except BaseException:
            connection.transport.abort()
            raise
        return Reply(connection, status, headers)

    def _free(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    async def _dial(self, wait_s: float) -> Connection:
        loop = asyncio.get_running_loop()
        name = self.host if self.tls else None
        try:
            async with asyncio.timeout(wait_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(self), self.host, self.port, ssl=self._context, server_hostname=name
                )
        except TimeoutError as error:
            raise UpstreamError(f"it accepted no connection within {wait_s:g} s") from error
        except (OSError, UnicodeError) as error:
            raise UpstreamError(f"no connection ({error.__class__.__name__}: {error})") from error
        return connection

    def _serialised(self, path: bytes, headers: Headers, body: bytes) -> bytes:
        head = b"POST %b HTTP/1.1\r\nhost: %b\r\ncontent-length: %d\r\n" % (path, self._host_header, len(body))
        return b"".join((head, *[b"%b: %b\r\n" % pair for pair in headers], b"\r\n", body))


class Reply:
    """An upstream's reply whose body is read piece by piece."""

    def __init__(self, connection: Connection, status: int, headers: Headers) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection

    @property
    def is_stream(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        return self.header(b"content-type").startswith(b"text/event-stream")

    def header(self, name: bytes) -> bytes:
        """The header's value in lower case, or nothing."""
        for key, value in self.headers:
            if key == name:
                return value.lower()
        return b""

    @property
    def is_read(self) -> bool:
        """Whether all of it was read."""
        return self._connection.is_read

    async def read(self, wait_s: float) -> bytes:
        """The next bytes, empty at the end. Raises UpstreamError when it is cut or silent for too long."""
        if (there := self._connection.take()) is not None:
            return there
        return await self._connection.read(wait_s)

    async def read_all(self, wait_s: float, most: int) -> bytes:
        """The whole body. Raises UpstreamError when it is longer than `most`."""
        pieces, size = [], 0
        while piece := await self.read(wait_s):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                raise UpstreamError(f"its answer is longer than {most >> 20} MB")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def release(self) -> None:
        """Give the connection back (or close it, when the body was not read to its end)."""
        self._connection.release()

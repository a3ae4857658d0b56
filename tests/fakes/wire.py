"""The gateway's server with a transport of the test's own, and a small application that shows what reached it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from studio.gateway.errors import ApiError, ClientLeft
from studio.gateway.http import Request
from studio.gateway.server.line import Line
from studio.gateway.server.serving import Server

MOST = 1 << 16
Handler = Callable[[Request], Awaitable[None]]


class Pipe:
    """A transport that keeps what is written; `lose` is the peer's end of the connection."""

    def __init__(self) -> None:
        self.line: Line | None = None
        self.sent = b""
        self.untaken = 0
        self.closed = self.aborted = self.half_closed = self.paused = False

    def write(self, data: bytes) -> None:
        assert not self.closed, "written after the end"
        self.sent += data

    def write_eof(self) -> None:
        self.half_closed = True

    def get_write_buffer_size(self) -> int:
        return self.untaken

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.lose)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def is_closing(self) -> bool:
        return self.closed

    def lose(self) -> None:
        if self.line is not None and not self.line.lost:
            self.line.connection_lost(None)


class Echo:
    """Answers with the body it got, and keeps every request."""

    def __init__(self, handler: Handler | None = None) -> None:
        self.answers: Counter[int] = Counter()
        self.seen: list[tuple[str, str, bytes]] = []
        self.left = 0
        self._handler = handler or self._echo

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def answer(self, request: Request) -> None:
        try:
            await self._handler(request)
        except ApiError as error:
            await request.respond(error.status, list(error.headers), error.body())
        except ClientLeft:
            self.left += 1

    async def _echo(self, request: Request) -> None:
        body = await request.body(MOST)
        self.seen.append((request.method, request.path, body))
        await request.respond(200, [(b"x-method", request.method.encode())], body)


class Wire:
    """One connection to a server in this process."""

    def __init__(self, app: Echo | None = None) -> None:
        self.app = app or Echo()
        self.server = Server(self.app)
        self.pipe = Pipe()
        self.line = self.pipe.line = Line(self.server)
        self.line.connection_made(self.pipe)

    async def feed(self, *pieces: bytes) -> bytes:
        """What is answered to these bytes."""
        for piece in pieces:
            if not self.line.lost and not self.pipe.paused:
                self.line.data_received(piece)
                await settle()
        await settle()
        return self.pipe.sent


async def settle(times: int = 12) -> None:
    """Let everything that can go on do so."""
    for _ in range(times):
        await asyncio.sleep(0)


def request(method: str = "POST", path: str = "/", body: bytes = b"", *headers: str, version: str = "1.1") -> bytes:
    """A request whose body has a declared length."""
    lines = [f"{method} {path} HTTP/{version}", "host: x", *headers]
    if body or method == "POST":
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(path: str, *chunks: bytes) -> bytes:
    """A request whose body comes in chunks."""
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk) + b"0\r\n\r\n"


def answers(sent: bytes) -> list[tuple[int, bytes]]:
    """Status and body of each answer; interim ones have none."""
    found = []
    while sent:
        head, _, sent = sent.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        found.append((status, sent[:length]))
        sent = sent[length:]
    return found


def talk(script: Callable[[], Awaitable[Any]]) -> Any:
    """Run a script in a loop of its own."""

    async def run() -> Any:
        return await script()

    return asyncio.run(run())

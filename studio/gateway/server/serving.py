"""The server: sockets, one clock for all deadlines, and an end that lets answers under way finish."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections import Counter
from typing import Protocol

import uvloop

from studio.gateway.errors import ApiError
from studio.gateway.http import Request
from studio.gateway.server.exchange import Exchange
from studio.gateway.server.line import Line

GRACE_S = 10.0
TICK_S = 1.0
BACKLOG = 4096

log = logging.getLogger(__name__)


class Application(Protocol):
    """What is served."""

    answers: Counter[int]

    async def start(self) -> None:
        """Get ready; called once before the first request."""
        ...

    async def answer(self, request: Request) -> None:
        """Answer one request."""
        ...

    async def stop(self) -> None:
        """End what was started."""
        ...


class Server:
    """Serves one application on one address."""

    def __init__(self, application: Application) -> None:
        self.lines: set[Line] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.answers = application.answers
        self.leaving = False
        self._application = application

    async def run(self, host: str, port: int, stop: asyncio.Event, reuse_port: bool = False) -> None:
        """Serve until `stop` is set; answers under way get ten seconds to finish. Raises OSError for a taken port."""
        loop = asyncio.get_running_loop()
        await self._application.start()
        listening = await loop.create_server(lambda: Line(self), host, port, backlog=BACKLOG, reuse_port=reuse_port)
        clock = loop.create_task(self._watch())
        try:
            await stop.wait()
        finally:
            listening.close()
            await self._leave()
            clock.cancel()
            await self._application.stop()

    async def serve(self, exchange: Exchange) -> None:
        """Answer one request; a bug costs its caller an answer and nobody else anything."""
        try:
            await self._application.answer(exchange)
        except Exception:
            log.exception("A request failed.")
            self.answers[500] += 1
            if not exchange.status:
                error = ApiError(500, "The gateway failed. Its log says why.", "server_error", "internal_error")
                await exchange.respond(error.status, [(b"content-type", b"application/json")], error.body())

    async def _watch(self) -> None:
        """Close what waits in vain."""
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            for line in [line for line in self.lines if line.deadline < now]:
                line.late(now)

    async def _leave(self) -> None:
        self.leaving = True
        for line in list(self.lines):
            line.end()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=GRACE_S)
        for task in (left := list(self.tasks)):
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def run(application: Application, host: str, port: int, reuse_port: bool = False) -> None:
    """Serve until SIGTERM or Ctrl-C."""

    async def until_asked() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await Server(application).run(host, port, stop, reuse_port)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_asked())

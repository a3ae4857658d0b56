"""Serving until SIGTERM, and then until nobody waits for an answer any more."""

from __future__ import annotations

import asyncio
import time
from types import FrameType

import uvicorn

from studio.deploy.server.app import Server

GRACE_S = 30
LOOK_S = 0.05


def serve(server: Server, host: str, port: int) -> None:
    """Answer on this address until the process is told to end."""
    config = uvicorn.Config(
        server.app(),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    _Draining(config, server).run()


class _Draining(uvicorn.Server):
    """At the first signal health turns to 503 and new requests are refused; the process ends when it is idle."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._server = server
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Remember the loop: signals arrive outside it."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains, the second ends."""
        if self._loop is None or self._server.draining:
            super().handle_exit(sig, frame)
            return
        self._server.draining = True
        self._loop.call_soon_threadsafe(self._begin, sig)

    def _begin(self, sig: int) -> None:
        self._drain = asyncio.ensure_future(self._until_idle(sig))

    async def _until_idle(self, sig: int) -> None:
        deadline = time.monotonic() + GRACE_S
        while self._server.engine.running and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_S)
        super().handle_exit(sig, None)

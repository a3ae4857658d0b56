"""The real gateway in a thread of the test's process, on its own server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from studio.gateway.app import Gateway
from studio.gateway.server.serving import Server

WAIT_S = 60.0
TRIES = 20


class GatewayThread:
    """Serves one gateway until it is stopped."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(WAIT_S), "the gateway never listened"

    def stop(self) -> None:
        assert self._loop and self._stop
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        for _ in range(TRIES):
            self.port = _free_port()
            try:
                await self._run(self._stop)
                return
            except OSError:
                continue  # somebody else took the port meanwhile

    async def _run(self, stop: asyncio.Event) -> None:
        serving = asyncio.ensure_future(Server(self._gateway).run("127.0.0.1", self.port, stop))
        while not serving.done() and not await _listens(self.port):
            await asyncio.sleep(0.01)
        if not serving.done():
            self._ready.set()
        await serving


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(gateway: Gateway) -> Iterator[str]:
    """The gateway's address."""
    thread = GatewayThread(gateway)
    thread.start()
    try:
        yield f"http://127.0.0.1:{thread.port}"
    finally:
        thread.stop()

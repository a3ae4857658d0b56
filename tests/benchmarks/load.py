"""The client of the gateway's benchmark, in a process of its own: as much as goes, a fixed rate, or many streams.

python -m tests.benchmarks.load KIND PORT SECONDS NUMBER < request      (the raw bytes of one request)
Prints one line of JSON. At a fixed rate (open loop) each latency counts from when the request was due.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque

import uvloop

PATIENCE_S = 5.0
"""How long answers are awaited after the last request."""
DONE = b"0\r\n\r\n"


class Caller(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.tail = b""
        self.due = self.first = self.last = 0.0
        self.left = -1
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self, due: float) -> None:
        self.due, self.first, self.left, self.tail, self.busy = due, 0.0, -1, b"", True
        self.transport.write(self.load.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if not self.first:
            self.first = now
            self.load.bad += b" 200 " not in data[:20]
        if self.load.streams:
            self._piece(data, now)
        elif self._is_whole(data):
            self._answered(now)

    def connection_lost(self, error: Exception | None) -> None:
        if self.busy and not self.load.over:
            self.load.bad += 1

    def _is_whole(self, data: bytes) -> bool:
        if self.left < 0:
            self.tail += data
            head, found, body = self.tail.partition(b"\r\n\r\n")
            if not found:
                return False
            head = head.lower()
            if b"content-length:" not in head:  # a peer that answers in chunks
                self.left, self.tail = 1 << 40, body
                return self.tail.endswith(DONE)
            self.left = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) - len(body)
        elif self.left >= 1 << 39:
            self.tail = (self.tail + data)[-8:]
            return self.tail.endswith(DONE)
        else:
            self.left -= len(data)
        return self.left <= 0

    def _piece(self, data: bytes, now: float) -> None:
        self.load.pieces += data.count(b"data:")
        if self.last:
            self.load.gaps.append(now - self.last)
        self.last = now
        self.tail = (self.tail + data)[-8:]
        if self.tail.endswith(DONE):
            self.last = 0.0
            self._answered(now)

    def _answered(self, now: float) -> None:
        self.busy = False
        self.load.latencies.append(now - self.due)
        self.load.free(self)


class Load:
    """Keeps connections busy in one of three ways."""

    def __init__(self, kind: str, port: int, seconds: float, number: int, request: bytes) -> None:
        self.streams = kind == "streams"
        self.paced = kind == "paced"
        self.port, self.seconds, self.number, self.request = port, seconds, number, request
        self.latencies: list[float] = []
        self.gaps: list[float] = []
        self.pieces = self.bad = self.asked = 0
        self.over = False
        self.idle: deque[Caller] = deque()
        self.late: deque[float] = deque()

    def free(self, caller: Caller) -> None:
        if not self.paced:
            if not self.over:
                self.asked += 1
                caller.ask(time.perf_counter())
        elif self.late:
            caller.ask(self.late.popleft())
        else:
            self.idle.append(caller)

    async def run(self) -> dict[str, float]:
        loop = asyncio.get_running_loop()
        connections = 256 if self.paced else self.number
        callers = [
            (await loop.create_connection(lambda: Caller(self), "127.0.0.1", self.port))[1] for _ in range(connections)
        ]
        started = time.perf_counter()
        if self.paced:
            self.idle.extend(callers)
            await self._pace(started)
        else:
            for caller in callers:
                self.free(caller)
            await asyncio.sleep(self.seconds)
        took = time.perf_counter() - started
        answered, pieces = len(self.latencies), self.pieces
        self.over = True
        deadline = time.perf_counter() + PATIENCE_S
        while len(self.latencies) < self.asked and time.perf_counter() < deadline:
            await asyncio.sleep(0.01)
        return {
            "per_second": answered / took,
            "pieces_per_second": pieces / took,
            "calls": len(self.latencies),
            "unanswered": self.asked - len(self.latencies),
            "bad": self.bad,
            **{f"p{percent}": at(self.latencies, percent) for percent in (50, 99)},
            "gap_p99": at(self.gaps, 99),
        }

    async def _pace(self, started: float) -> None:
        """Requests are sent when they are due, whatever became of those before."""
        total = int(self.number * self.seconds)
        while self.asked < total:
            now = time.perf_counter()
            while self.asked < total and (due := started + self.asked / self.number) <= now:
                self.asked += 1
                if self.idle:
                    self.idle.popleft().ask(due)
                else:
                    self.late.append(due)
            await asyncio.sleep(0.0005)


def at(values: list[float], percent: int) -> float:
    """A percentile in milliseconds."""
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)] * 1000 if values else 0.0


if __name__ == "__main__":
    kind, port, seconds, number = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    print(json.dumps(uvloop.run(Load(kind, port, seconds, number, sys.stdin.buffer.read()).run())))

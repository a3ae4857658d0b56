"""What recording costs: the gateway beside the bare upstream, same load, same run.

The upstream and the load client are small raw programs, so that what is measured is the gateway. Offered rates are
interleaved, so that a busy machine hurts both paths alike.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from studio.capture.drain import Drain
from tests.integration.gateway.conftest import Stack, fill, find_port, make_settings, running_gateway

UPSTREAM = Path(__file__).parents[1] / "fakes" / "fast_upstream.py"
BODY = json.dumps(
    {"model": "triage", "messages": [{"role": "user", "content": "The quarterly report shows revenue. " * 70}]}
).encode()
ROUNDS, SATURATED_S, PACED_S = 3, 3.0, 3.0
CONNECTIONS, RATE = 64, 300


@dataclass
class Load:
    """Requests per second and latencies in milliseconds of one run."""

    per_second: float
    latencies: list[float]

    def at(self, percent: int) -> float:
        return statistics.quantiles(self.latencies, n=100)[percent - 1]


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)


async def saturate(port: int, request: bytes, seconds: float) -> Load:
    """As many requests as go through on 64 connections."""
    end, latencies = time.perf_counter() + seconds, []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.perf_counter()) < end:
            await talk(reader, writer, request)
            latencies.append((time.perf_counter() - started) * 1000)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return Load(len(latencies) / (time.perf_counter() - started), latencies)


async def pace(port: int, request: bytes, seconds: float) -> Load:
    """A fixed rate, latency counted from when each request was due."""
    latencies: list[float] = []
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def one(due: float) -> None:
        reader, writer = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
        await talk(reader, writer, request)
        latencies.append((time.perf_counter() - due) * 1000)
        idle.append((reader, writer))

    started, tasks = time.perf_counter(), []
    for number in range(int(RATE * seconds)):
        due = started + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.ensure_future(one(due)))
    await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()
    return Load(len(latencies) / (time.perf_counter() - started), latencies)


@pytest.fixture
def fast_stack(tmp_path: Path, database: object, settings: object) -> Iterator[tuple[Stack, int]]:
    from storage.database import Database

    assert isinstance(database, Database)
    port = find_port()
    upstream = subprocess.Popen([sys.executable, str(UPSTREAM), str(port)])
    made = make_settings(tmp_path / "home", find_port())
    url = f"http://127.0.0.1:{port}"
    project, secret, key_id = fill(database, made, url, url)
    try:
        with running_gateway(made) as process:
            yield Stack(made, database, project, secret, key_id, None, made.gateway_url, process), port  # type: ignore[arg-type]
    finally:
        upstream.terminate()
        upstream.wait(5)


def requests(stack: Stack) -> tuple[bytes, bytes]:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    bare = head % len(BODY) + b"\r\n" + BODY
    return bare, bare.replace(b"host: x\r\n", b"host: x\r\nauthorization: Bearer %b\r\n" % stack.secret.encode(), 1)


def test_the_gateway_beside_the_bare_upstream(fast_stack: tuple[Stack, int]) -> None:
    stack, upstream_port = fast_stack
    bare, through = requests(stack)
    ports = {"upstream": (upstream_port, bare), "gateway": (stack.settings.gateway_port, through)}
    full: dict[str, list[Load]] = {name: [] for name in ports}
    paced: dict[str, list[Load]] = {name: [] for name in ports}
    process = psutil.Process(stack.process.pid)
    before = sum(process.cpu_times()[:2])
    for _ in range(ROUNDS):
        for name, (port, request) in ports.items():
            full[name].append(asyncio.run(saturate(port, request, SATURATED_S)))
            paced[name].append(asyncio.run(pace(port, request, PACED_S)))
    calls = sum(len(load.latencies) for loads in (full["gateway"], paced["gateway"]) for load in loads)
    spent = sum(process.cpu_times()[:2]) - before
    started = time.perf_counter()
    drained = Drain(stack.database, stack.settings.journal).once()
    took = time.perf_counter() - started
    report(full, paced)
    print(f"gateway CPU {(spent / calls) * 1e6:.0f} µs per recorded call")
    print(f"drained {drained:,} calls in {took:.1f} s ({drained / took:,.0f} rows/s); load {os.getloadavg()[0]:.1f}")
    assert drained == calls  # every acknowledged call was recorded, at full speed too


def report(full: dict[str, list[Load]], paced: dict[str, list[Load]]) -> None:
    best = {name: max(load.per_second for load in loads) for name, loads in full.items()}
    print(f"\nat saturation, {CONNECTIONS} connections: ", end="")
    print(", ".join(f"{name} {rate:,.0f}/s" for name, rate in best.items()), end="")
    print(f", ratio {best['gateway'] / best['upstream']:.2f}")
    for percent in (50, 99):
        values = {name: min(load.at(percent) for load in loads) for name, loads in paced.items()}
        added = values["gateway"] - values["upstream"]
        shown = ", ".join(f"{name} {value:.2f} ms" for name, value in values.items())
        print(f"p{percent} at {RATE}/s: {shown}, added {added:.2f} ms")

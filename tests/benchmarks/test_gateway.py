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
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio.capture.drain import Drain
from studio.deploy.counting import Attempt, Counter
from studio.gateway.__main__ import build
from studio.gateway.app import Gateway
from tests.benchmarks.gateway import measure_all
from tests.integration.gateway.conftest import Stack, fill, find_port, make_settings, running_gateway
from tests.integration.gateway.test_routes import add_shadow

UPSTREAM = Path(__file__).parents[1] / "fakes" / "fast_upstream.py"
BODY = json.dumps(
    {"model": "triage", "messages": [{"role": "user", "content": "The quarterly report shows revenue. " * 70}]}
).encode()
ROUNDS, SATURATED_S, PACED_S = 3, 3.0, 3.0
CONNECTIONS, RATE = 64, 300
IN_PROCESS_ROUNDS, IN_PROCESS_CALLS = 8, 500
CHAT = "/v1/chat/completions"


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
            facts = (project, secret, key_id, None, made.gateway_url, process, port)
            yield Stack(made, database, *facts), port  # type: ignore[arg-type]
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


def test_what_routing_counting_and_shadows_add(fast_stack: tuple[Stack, int]) -> None:
    """Each step beside the one before it, paced and interleaved: the bare upstream, the gateway that only records, an
    alias that is counted, a split with sticky users, and a shadow that gets a fifth of the calls.
    """
    stack, upstream_port = fast_stack
    add_shadow(stack, "half-unwell", "up-ok", 20)
    time.sleep(2)  # the table is loaded every second
    bare, through = requests(stack)
    gateway = stack.settings.gateway_port
    paths = {
        "upstream": (upstream_port, bare),
        "recorded": (gateway, named(through, b"up-ok")),
        "alias, counted": (gateway, through),
        "split, sticky": (gateway, named(through, b"canary", b'"user": "ann", ')),
        "shadow 20 %": (gateway, named(through, b"half-unwell")),
    }
    loads: dict[str, list[Load]] = {name: [] for name in paths}
    spent: dict[str, float] = dict.fromkeys(paths, 0.0)
    process = psutil.Process(stack.process.pid)
    for _ in range(ROUNDS):
        for name, (port, request) in paths.items():
            before = sum(process.cpu_times()[:2])
            loads[name].append(asyncio.run(pace(port, request, PACED_S)))
            spent[name] += sum(process.cpu_times()[:2]) - before
    print(f"\nload {os.getloadavg()[0]:.1f}; {RATE}/s, best of {ROUNDS} rounds of {PACED_S:g} s")
    for name, found in loads.items():
        p50, p99 = (min(load.at(percent) for load in found) for percent in (50, 99))
        cpu = spent[name] / sum(len(load.latencies) for load in found) * 1e6
        print(f"{name:15} p50 {p50:.2f} ms, p99 {p99:.2f} ms, gateway CPU {cpu:.0f} µs a call")
    print(f"counting one attempt: {counting_us():.1f} µs")


def test_processor_time_of_a_call_by_what_the_gateway_does(fast_stack: tuple[Stack, int]) -> None:
    """The application called in this process: processor time hardly depends on what else the machine does."""
    stack, _port = fast_stack
    add_shadow(stack, "half-unwell", "up-ok", 20)
    gateway = build(stack.settings)
    models = {"recorded": "up-ok", "alias, counted": "triage", "split, sticky": "canary", "shadow 20 %": "half-unwell"}
    bodies = {name: json.dumps({**json.loads(BODY), "model": model, "user": "ann"}) for name, model in models.items()}

    async def measure() -> dict[str, float]:
        found = {name: float("inf") for name in bodies}
        async with alive(gateway):
            for _ in range(IN_PROCESS_ROUNDS):
                for name, body in bodies.items():
                    started = time.process_time()
                    for _ in range(IN_PROCESS_CALLS):
                        assert await call_once(gateway, stack.secret, body.encode()) == 200
                    found[name] = min(found[name], (time.process_time() - started) / IN_PROCESS_CALLS * 1e6)
        return found

    found = asyncio.run(measure())
    print(f"\nload {os.getloadavg()[0]:.1f}; processor time of one call after another, best of {IN_PROCESS_ROUNDS}")
    for name, spent in found.items():
        print(f"{name:15} {spent:.0f} µs, {spent - found['recorded']:+.0f} µs")


@asynccontextmanager
async def alive(gateway: Gateway) -> AsyncIterator[None]:
    """The application's background work runs while the block does."""
    come: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    went: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.ensure_future(gateway({"type": "lifespan"}, come.get, went.put))
    come.put_nowait({"type": "lifespan.startup"})
    await went.get()
    yield
    come.put_nowait({"type": "lifespan.shutdown"})
    await life


async def call_once(gateway: Gateway, secret: str, body: bytes) -> int:
    """The status of one call."""
    came = [{"type": "http.request", "body": body}]
    left = asyncio.Event()
    said: list[Any] = []

    async def receive() -> Any:
        if came:
            return came.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        said.append(message)

    headers = [(b"authorization", b"Bearer " + secret.encode()), (b"content-length", b"%d" % len(body))]
    await gateway({"type": "http", "method": "POST", "path": CHAT, "headers": headers}, receive, send)
    return int(said[0]["status"])


def test_the_gateway_beside_its_peers() -> None:
    """Those that are not installed are named; `python -m tests.benchmarks.gateway` says how to get them."""
    found = measure_all(4.0)
    assert found["whetstone recording"].saturated["bad"] == 0


def named(request: bytes, model: bytes, more: bytes = b"") -> bytes:
    """The same request for another model."""
    body = BODY.replace(b'"model": "triage"', more + b'"model": "%b"' % model)
    head = request[: request.index(b"\r\n\r\n") + 4]
    return head.replace(b"content-length: %d" % len(BODY), b"content-length: %d" % len(body)) + body


def counting_us() -> float:
    counter, times = Counter(None), 100_000
    started = time.perf_counter()
    for number in range(times):
        counter.count(Attempt("deployment", "route", False, float(number % 900), None, 612, 190))
    return (time.perf_counter() - started) / times * 1e6


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

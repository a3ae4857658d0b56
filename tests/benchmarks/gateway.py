"""The gateway beside its peers, in one run, on the same fake upstream: `python -m tests.benchmarks.gateway`.

Bare upstream, nginx passing through, ours not recording and recording, LiteLLM's proxy, Portkey's gateway: requests a
second at saturation, p50 and p99 at 200, 500 and 2,000 requests a second (a rate only where the peer can bear it),
pieces of streams a second, memory, and processor time a call. The proxy under test has one core, client and upstream
the other. A peer that is not installed is skipped, and said so; nothing that is timed is asserted.

  nginx     found on the PATH
  LiteLLM   WHETSTONE_BENCH_LITELLM=/path/to/venv/bin/litellm      (pip install 'litellm[proxy]' in a venv of its own)
  Portkey   WHETSTONE_BENCH_PORTKEY=/path/to/folder                (npm install @portkey-ai/gateway in that folder)
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.peers import CORES, PATHS, ROOT, Way, pinned, started_upstream

CONTENT = "The quarterly report shows revenue. " * 70
RATES = (200, 500, 2000)
SATURATING, STREAMS = 32, 100
BEARABLE = 0.8
"""A rate is offered up to this part of what was measured at saturation."""
QUIET = 0.1
"""The part of the machine that others may use; above it the run is marked."""
LUA = """
local f = io.open(os.getenv("REQUEST_BODY"), "rb"); wrk.body = f:read("*a"); f:close()
wrk.method = "POST"; wrk.headers["content-type"] = "application/json"
for line in os.getenv("REQUEST_HEADERS"):gmatch("[^\\n]+") do
  local name, value = line:match("([^:]+): (.*)"); wrk.headers[name] = value
end
"""


@dataclass
class Found:
    """What was measured of it."""

    saturated: dict[str, float]
    rates: dict[int, dict[str, float]]
    streams: dict[str, float]
    cpu_us: float
    stream_cpu_us: float
    memory_mb: float
    others: float


def main() -> None:
    """Measure everything that is installed, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--only", default="", help="names of paths, separated by commas")
    options = parser.parse_args()
    measure_all(options.seconds, {name for name in options.only.split(",") if name})


def measure_all(seconds: float, only: set[str] | None = None) -> dict[str, Found]:
    """Every path that is installed, each started, measured and stopped in turn."""
    print(f"\n{CORES} cores, load {os.getloadavg()[0]:.2f}, {seconds:g} s a measurement, {len(body())} B a prompt")
    found: dict[str, Found] = {}
    with tempfile.TemporaryDirectory() as folder, started_upstream() as upstream:
        for name, start in PATHS.items():
            if only and name not in only:
                continue
            with start(Path(folder), upstream) as path:
                if path is None:
                    continue
                found[name] = measure(path, upstream, seconds)
                print(line_of(name, found[name]), flush=True)
    print_ratios(found)
    return found


def measure(path: Way, upstream: psutil.Process, seconds: float) -> Found:
    """Saturation first: it says which rates can be borne."""
    process = path.process or upstream
    ours = [process, upstream] if path.process else [upstream]
    saturate(path, 1.0)
    with spent_by(ours) as others:
        before = cpu_of(process)
        saturated = saturate(path, seconds)
        cpu = cpu_of(process) - before
    memory = memory_of(process)
    rates = {}
    for rate in RATES:
        if rate <= saturated["per_second"] * BEARABLE:
            rates[rate] = client("paced", path, seconds, rate)
    before = cpu_of(process)
    streams = client("streams", path, seconds, STREAMS if saturated["per_second"] > 2 * STREAMS else 10, stream=True)
    stream_cpu = cpu_of(process) - before
    return Found(
        saturated,
        rates,
        streams,
        cpu / max(saturated["calls"], 1) * 1e6,
        stream_cpu / max(streams["pieces_per_second"] * seconds, 1) * 1e6,
        memory,
        others[0],
    )


def saturate(path: Way, seconds: float) -> dict[str, float]:
    """As many as go through; wrk costs less than a client in Python, which the fast paths would only wait for."""
    if not shutil.which("wrk"):
        return client("full", path, seconds, SATURATING)
    with tempfile.TemporaryDirectory() as folder:
        script, sent = Path(folder, "post.lua"), Path(folder, "body")
        script.write_text(LUA)
        sent.write_bytes(body())
        headers = "\n".join(f"{name}: {value}" for name, value in path.headers.items())
        address = f"http://127.0.0.1:{path.port}/v1/chat/completions"
        command = [
            "wrk",
            "-t1",
            f"-c{SATURATING}",
            f"-d{seconds:g}s",
            "--latency",
            "--timeout",
            "30s",
            "-s",
            str(script),
        ]
        environment = {**os.environ, "REQUEST_BODY": str(sent), "REQUEST_HEADERS": headers}
        said = subprocess.run(pinned(1, [*command, address]), env=environment, capture_output=True, text=True).stdout
    words = said.split()
    calls = int(words[words.index("requests") - 1])
    bad = float(words[words.index("responses:") + 1]) if "responses:" in words else 0.0
    per_second = float(words[words.index("Requests/sec:") + 1])
    return {"per_second": per_second, "calls": calls, "bad": bad, "p99": milliseconds(words[words.index("99%") + 1])}


def milliseconds(text: str) -> float:
    """As wrk writes times."""
    for unit, factor in (("us", 1e-3), ("ms", 1.0), ("s", 1e3), ("m", 6e4)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise ValueError(text)


def client(kind: str, path: Way, seconds: float, number: int, stream: bool = False) -> dict[str, float]:
    """The client in Python, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.load", kind, str(path.port), str(seconds), str(number)]
    sent = request(path, stream)
    done = subprocess.run(pinned(1, command), input=sent, capture_output=True, cwd=ROOT, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def body(stream: bool = False) -> bytes:
    """The prompt."""
    message = {"role": "user", "content": CONTENT}
    return json.dumps({"model": "up-ok", "messages": [message], **({"stream": True} if stream else {})}).encode()


def request(path: Way, stream: bool) -> bytes:
    """One request, as bytes."""
    sent = body(stream)
    headers = {
        "host": "127.0.0.1",
        "content-type": "application/json",
        **path.headers,
        "content-length": str(len(sent)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /v1/chat/completions HTTP/1.1\r\n{lines}\r\n".encode() + sent


def tree(process: psutil.Process) -> list[psutil.Process]:
    """It and its children."""
    return [process, *process.children(recursive=True)]


def cpu_of(process: psutil.Process) -> float:
    """Seconds of processor time so far."""
    return sum(sum(one.cpu_times()[:2]) for one in tree(process))


def memory_of(process: psutil.Process) -> float:
    """Resident megabytes."""
    return sum(one.memory_info().rss for one in tree(process)) / 2**20


@contextmanager
def spent_by(ours: list[psutil.Process]) -> Iterator[list[float]]:
    """The part of the machine that others used meanwhile."""
    result = [0.0]
    clients, machine, own = children_cpu(), psutil.cpu_times(), sum(cpu_of(process) for process in ours)
    yield result
    now = psutil.cpu_times()
    total = sum(now[:8]) - sum(machine[:8])
    idle = now.idle + now.iowait - machine.idle - machine.iowait
    mine = sum(cpu_of(process) for process in ours) - own + children_cpu() - clients
    result[0] = max(total - idle - mine, 0.0) / total if total else 0.0


def children_cpu() -> float:
    """Of the clients that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def line_of(name: str, found: Found) -> str:
    """One path's figures."""
    rates = "  ".join(
        f"{rate:,}/s: p50 {found.rates[rate]['p50']:.2f}, p99 {found.rates[rate]['p99']:.2f} ms"
        if rate in found.rates
        else f"{rate:,}/s: more than it can bear"
        for rate in RATES
    )
    bad = f"  {found.saturated['bad']:.0f} BAD ANSWERS" if found.saturated["bad"] else ""
    noisy = f"  NOT QUIET: others used {found.others:.0%} of the machine" if found.others > QUIET else ""
    streams = (
        f"streams FAIL ({found.streams['bad']:.0f} bad answers)"
        if found.streams["bad"] or not found.streams["calls"]
        else f"streams {found.streams['pieces_per_second']:,.0f} pieces/s, {found.stream_cpu_us:.0f} µs CPU a piece,"
        f" p99 between pieces {found.streams['gap_p99']:.1f} ms"
    )
    return (
        f"{name:22} {found.saturated['per_second']:9,.0f} req/s  {found.cpu_us:6.0f} µs CPU a call  "
        f"{found.memory_mb:4.0f} MB  {rates}\n{'':22} {streams}{bad}{noisy}"
    )


def print_ratios(found: dict[str, Found]) -> None:
    """What the figures mean beside each other; by processor time too, which a busy machine hardly changes."""
    ours = found.get("whetstone recording")
    if ours is None:
        return
    for name, other in found.items():
        if other is not ours and other.saturated["calls"]:
            speed = ours.saturated["per_second"] / max(other.saturated["per_second"], 1e-9)
            print(f"recording is {speed:.2f}× {name} in req/s ({other.cpu_us / ours.cpu_us:.2f}× by processor time)")
    straight = found.get("bare upstream")
    for rate in RATES:
        if straight and rate in straight.rates and rate in ours.rates:
            added = {key: ours.rates[rate][key] - straight.rates[rate][key] for key in ("p50", "p99")}
            print(f"recording adds {added['p50']:.2f} ms (p50) and {added['p99']:.2f} ms (p99) at {rate:,}/s")


if __name__ == "__main__":
    main()

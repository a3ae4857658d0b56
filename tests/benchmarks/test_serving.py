"""The embedded server beside `transformers serve`: the same tiny model, the same greedy answers, in one run.

A model of 0.2 million weights costs next to nothing, so what is compared is what the servers add. Rounds are
interleaved, so that a busy machine hurts all alike; each server's best round counts. The processor time per token
hardly depends on what else runs.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import httpx
import psutil
import pytest

from tests.benchmarks.streams import MAX_TOKENS, PROMPTS, Load, streams
from tests.fakes.serving import make_tiny_models
from tests.integration.gateway.conftest import find_port

ROOT = Path(__file__).parents[2]
ROUNDS = 3
COUNTS = {1: 4, 8: 32, 32: 96}
# Its defaults take 11 GB for a cache and half a minute for the first request: these are the embedded server's sizes.
BATCHING = [
    "--continuous-batching",
    "--cb-num-blocks",
    "1024",
    "--cb-block-size",
    "32",
    "--cb-max-batch-tokens",
    "1024",
]
MISSING = ["fastapi", "annotated-doc", "opentelemetry-api"]
"""What `transformers serve` needs beyond this project's environment."""


@dataclass
class Contender:
    """A running server."""

    name: str
    port: int
    model: str
    key: str
    process: psutil.Process
    ready_s: float
    answered_s: float = 0.0
    rounds: dict[int, list[Load]] = field(default_factory=dict)
    processor_ms: dict[int, float] = field(default_factory=dict)

    def measure(self, at_once: int, tokens: list[int]) -> None:
        """One round."""
        before = sum(self.process.cpu_times()[:2])
        count = COUNTS[at_once]
        load = asyncio.run(streams(self.port, self.model, self.key, at_once, count))
        made = sum(tokens[number % len(tokens)] for number in range(count))
        spent = (sum(self.process.cpu_times()[:2]) - before) / made * 1000
        self.processor_ms[at_once] = min(spent, self.processor_ms.get(at_once, spent))
        self.rounds.setdefault(at_once, []).append(load)

    def rate(self, at_once: int, tokens: list[int]) -> float:
        """Tokens per second in the best round."""
        count = COUNTS[at_once]
        made = sum(tokens[number % len(tokens)] for number in range(count))
        return made / min(load.seconds for load in self.rounds[at_once])


@pytest.fixture(scope="module")
def extras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `transformers serve` lacks here; empty if nothing."""
    folder = tmp_path_factory.mktemp("extras")
    if find_spec("fastapi") is None:
        command = [
            str(Path(sys.executable).parent / "uv"),
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--target",
            str(folder),
        ]
        installed = subprocess.run([*command, *MISSING], capture_output=True, text=True)
        if installed.returncode:
            pytest.skip(f"`transformers serve` needs {', '.join(MISSING)}: {installed.stderr[-300:]}")
    return folder


def test_tokens_per_second_beside_transformers_serve(tmp_path: Path, extras: Path) -> None:
    model = make_tiny_models(tmp_path / "models") / "tuned"
    with ExitStack() as running:
        embedded = running.enter_context(_embedded(model, tmp_path))
        serial = running.enter_context(_serve("transformers serve", model, extras, tmp_path))
        batched = running.enter_context(_serve("transformers serve, batching", model, extras, tmp_path, *BATCHING))
        contenders = [embedded, serial, batched]
        tokens = _token_counts(embedded)
        for at_once in COUNTS:
            for _ in range(ROUNDS):
                for contender in contenders:
                    contender.measure(at_once, tokens)
        _report(contenders, tokens)
        answers = [_answers(contender) for contender in contenders]
        same = sum(len(set(texts)) == 1 for texts in zip(*answers, strict=True))
        print(f"{same} of {len(answers[0])} answers are the same text from all three")
        assert same >= 0.9 * len(answers[0])  # other answers would be other work


@contextmanager
def _embedded(model: Path, folder: Path) -> Iterator[Contender]:
    (folder / "key").write_text("sk-bench")
    port = find_port()
    command = [sys.executable, "-m", "studio.deploy.server", "--model-dir", str(model), "--served-name", "tiny"]
    command += ["--port", str(port), "--api-key-file", str(folder / "key")]
    with _started("embedded", command, port, "tiny", "sk-bench", os.environ.copy(), folder) as contender:
        yield contender


@contextmanager
def _serve(name: str, model: Path, extras: Path, folder: Path, *options: str) -> Iterator[Contender]:
    port = find_port()
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(model), "--port", str(port), *options]
    # One thread, like the embedded server: more would fight over the cores with such a small model.
    environment = {**os.environ, "PYTHONPATH": str(extras), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    with _started(name, command, port, str(model), "", environment, folder) as contender:
        yield contender


@contextmanager
def _started(
    name: str, command: list[str], port: int, model: str, key: str, environment: dict[str, str], folder: Path
) -> Iterator[Contender]:
    log = folder / f"{name}.log"
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=output, env=environment | {"HF_HUB_OFFLINE": "1"}
        )
    try:
        _wait_until_healthy(port, process, log)
        contender = Contender(name, port, model, key, psutil.Process(process.pid), time.perf_counter() - started)
        asyncio.run(streams(port, model, key, 1, 1))
        contender.answered_s = time.perf_counter() - started
        asyncio.run(streams(port, model, key, 4, 16))
        yield contender
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_healthy(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.skip(f"{log.stem} does not run here: {log.read_text()[-500:]}")
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise AssertionError(f"{log.stem} was not healthy after 4 minutes: {log.read_text()[-500:]}")


def _token_counts(embedded: Contender) -> list[int]:
    """How many tokens the greedy answer to each prompt has."""
    found = []
    for prompt in PROMPTS:
        asked = {"messages": [{"role": "user", "content": prompt}], "max_tokens": MAX_TOKENS, "temperature": 0}
        headers = {"authorization": f"Bearer {embedded.key}"}
        url = f"http://127.0.0.1:{embedded.port}/v1/chat/completions"
        reply = httpx.post(url, json=asked, headers=headers, timeout=60, trust_env=False)
        found.append(int(reply.raise_for_status().json()["usage"]["completion_tokens"]))
    return found


def _answers(contender: Contender) -> list[str]:
    """Half characters, frequent with a random model, are marks here and left out there, as is a blank at the end."""
    loads = [contender.rounds[at_once][0] for at_once in COUNTS]
    return [text.replace("\ufffd", "").rstrip() for load in loads for text in load.texts]


def _report(contenders: list[Contender], tokens: list[int]) -> None:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\n{os.cpu_count()} cores, load {load}; tokens per second, best of {ROUNDS} rounds (median first text)")
    for contender in contenders:
        rates = [f"{contender.rate(at_once, tokens):6,.0f} ({_first(contender, at_once):.0f} ms)" for at_once in COUNTS]
        spent = ", ".join(f"{at_once}: {contender.processor_ms[at_once]:.2f}" for at_once in COUNTS)
        print(f"{contender.name:30} {' '.join(f'{at}:{rate}' for at, rate in zip(COUNTS, rates, strict=True))}")
        print(f"  ms of processor per token {spent}")
        print(f"  ready after {contender.ready_s:.1f} s, first answer after {contender.answered_s:.1f} s")
    for other in contenders[1:]:
        ratios = [
            f"{at_once}: {contenders[0].rate(at_once, tokens) / other.rate(at_once, tokens):.2f}" for at_once in COUNTS
        ]
        print(f"embedded / {other.name}: {', '.join(ratios)}")


def _first(contender: Contender, at_once: int) -> float:
    return min(load.first_ms for load in contender.rounds[at_once])

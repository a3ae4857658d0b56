"""A real embedded model server in a process of its own, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class RunningServer:
    """Where it answers, and as what."""

    url: str
    name: str
    key: str
    log: Path
    pid: int


@contextmanager
def embedded_server(
    model: Path, folder: Path, port: int, name: str = "tiny-r1", *extra: str, module: str = "studio.deploy.server"
) -> Iterator[RunningServer]:
    """Start a server on this model folder, wait until it is healthy, and stop it at the end."""
    key = folder / "key"
    key.write_text("sk-tiny\n")
    log = folder / "server.log"
    command = [sys.executable, "-m", module, "--model-dir", str(model), "--served-name", name]
    command += ["--port", str(port), "--api-key-file", str(key), *extra]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=environment)
    try:
        running = RunningServer(f"http://127.0.0.1:{port}", name, "sk-tiny", log, process.pid)
        _wait_until_healthy(running, process)
        yield running
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()


def _wait_until_healthy(running: RunningServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, running.log.read_text()
        try:
            if httpx.get(f"{running.url}/health", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"not healthy after 300 s: {running.log.read_text()}")


def make_tiny_models(folder: Path) -> Path:
    """tuned/, base/, other/ and golden.json in this folder, made in a process of their own: torch stays out of ours."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "tests.fakes.tiny_model", str(folder)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert made.returncode == 0, made.stderr
    return folder

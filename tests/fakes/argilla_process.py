"""The real argilla-server as a child process, started at most once per test process and killed at its end."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import httpx

from studio.label.argilla_backend import ArgillaBackend

ROOT = Path(__file__).parents[2]
LAUNCHER = ROOT / "studio/label/argilla_server/launch.py"
PYTHON = Path(os.environ.get("STUDIO_ARGILLA_PYTHON", ROOT / ".venv-argilla/bin/python"))
START_S = 240


class ArgillaProcess:
    """A server on a folder of its own; `start` again after `stop` to see what a restart keeps."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home, self.arguments, self.port = home, arguments, free_port()
        self.log = home.parent / "argilla.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def backend(self) -> ArgillaBackend:
        return ArgillaBackend(self.url, (self.home / "api_key").read_text(), (self.home / "secret_key").read_text())

    def start(self) -> ArgillaProcess:
        argv = [PYTHON, LAUNCHER, "--home", self.home, "--port", str(self.port), *self.arguments]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.home.parent)
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.2)
        return self

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/v1/version", trust_env=False, timeout=2).is_success
        except httpx.HTTPError:
            return False


@cache
def running_argilla() -> ArgillaProcess:
    folder = Path(tempfile.mkdtemp(prefix="argilla-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = ArgillaProcess(folder / "argilla")
    atexit.register(server.kill)  # runs before the folder goes
    return server.start()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""A real Ray head in an environment of its own, where there is one: `make` does not install it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

HOME = Path(os.environ.get("STUDIO_TEST_RAY_HOME") or Path.home() / ".cache" / "whetstone-ray")
WANTED = "STUDIO_TEST_RAY"
STARTS = 3
TOKEN = "real-ray-token-0123456789abcdef"


def why_not() -> str:
    """Why no real Ray is started; empty when it is."""
    if os.environ.get(WANTED) != "1":
        return f"a real Ray takes minutes: set {WANTED}=1"
    if not (HOME / "bin" / "ray").exists():
        return f"no Ray in {HOME}: uv venv {HOME} && uv pip install --python {HOME}/bin/python 'ray[default]==2.60.0'"
    return ""


@dataclass(frozen=True)
class Cluster:
    """A head that runs."""

    url: str
    token: str
    temporary: Path

    def processes(self, part: str) -> list[int]:
        """Its processes whose command line has this part."""
        return [pid for pid, line in _mine(self.temporary) if part in line]


@contextmanager
def real_ray() -> Iterator[Cluster]:
    """One node with two processors and token authentication, begun again when a busy machine let it die."""
    for left in reversed(range(STARTS)):
        temporary = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # its socket paths must be short
        cluster = Cluster(f"http://127.0.0.1:{_free()}", TOKEN, temporary)
        head = _started(cluster)
        try:
            if _answers(cluster, head):
                yield cluster
                return
            if not left:
                raise TimeoutError((temporary / "head.txt").read_text()[-2000:])
        finally:
            _end(head, temporary)


def _started(cluster: Cluster) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [HOME / "bin" / "ray", "start", "--head", "--num-cpus=2", "--node-ip-address=127.0.0.1", "--block"]
    dashboard = ["--dashboard-host=127.0.0.1", f"--dashboard-port={cluster.url.rpartition(':')[2]}"]
    return subprocess.Popen(
        [*command, *dashboard, f"--port={_free()}", f"--temp-dir={cluster.temporary}", "--disable-usage-stats"],
        env=environment,
        stdout=(cluster.temporary / "head.txt").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _answers(cluster: Cluster, head: subprocess.Popen[bytes]) -> bool:
    """Wait until it takes a job: the dashboard answers long before the agent that starts jobs does."""
    first, deadline = {"entrypoint": "true", "submission_id": "first"}, time.monotonic() + 180
    with httpx.Client(base_url=cluster.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as http:
        while time.monotonic() < deadline and head.poll() is None:
            try:
                if http.post("/api/jobs/", json=first).status_code == 200:
                    return True
            except httpx.HTTPError:
                pass  # not up yet
            time.sleep(0.5)
    return False


def _end(head: subprocess.Popen[bytes], temporary: Path) -> None:
    """Only what belongs to this head: its own children, and what carries its folder in the command line."""
    head.terminate()
    try:
        head.wait(20)
    except subprocess.TimeoutExpired:
        head.kill()
        head.wait()
    for pid, _line in _mine(temporary):
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
    shutil.rmtree(temporary, ignore_errors=True)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _mine(temporary: Path) -> Iterator[tuple[int, str]]:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile
        if str(temporary) in line:
            yield int(path.name), line

"""The ways to a model that the gateway's benchmark measures: how each is started, and what it is called by."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from storage.database import Database
from storage.migrate import migrate
from storage.tables.capture import CapturePolicy
from studio.capture.drain import Drain
from studio.settings import Settings
from tests.integration.gateway.conftest import fill, find_port

ROOT = Path(__file__).parents[2]
LITELLM_KEY = "sk-benchmark-0123456789abcdef"
CORES = os.cpu_count() or 1
NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_buffer_size 64k; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 512; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; keepalive_requests 1000000000;
    location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header connection ""; proxy_buffering off;
    }} }}
}}
"""
LITELLM = """
model_list:
  - model_name: up-ok
    litellm_params: {{model: openai/up-ok, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-x}}
general_settings: {{master_key: {key}}}
litellm_settings: {{telemetry: false}}
"""


@dataclass
class Way:
    """One way to the upstream."""

    name: str
    port: int
    process: psutil.Process | None
    headers: dict[str, str] = field(default_factory=dict)


Started = Iterator[Way | None]
Start = Callable[[Path, psutil.Process], AbstractContextManager[Way | None]]


@contextmanager
def bare(_: Path, upstream: psutil.Process) -> Started:
    yield Way("upstream", port_of(upstream), None)


@contextmanager
def nginx(folder: Path, upstream: psutil.Process) -> Started:
    if not shutil.which("nginx"):
        yield skipped("nginx", "it is not on the PATH")
        return
    own, port = folder / "nginx", find_port()
    own.mkdir()
    (own / "conf").write_text(NGINX.format(folder=own, upstream=port_of(upstream), port=port))
    with running(["nginx", "-p", str(own), "-c", str(own / "conf")], port, own) as process:
        yield Way("nginx", port, process)


def whetstone(record: str) -> Start:
    """Ours, with the project's policy on or off."""

    @contextmanager
    def start(folder: Path, upstream: psutil.Process) -> Started:
        port, address = find_port(), f"http://127.0.0.1:{port_of(upstream)}"
        settings = Settings(home=folder / f"home-{record}", gateway_port=port)
        settings.root.mkdir()
        migrate(settings.database)
        database = Database(settings.database)
        project, secret, _ = fill(database, settings, address, address)
        with database.write() as session:
            session.add(CapturePolicy(project_id=project.id, record=record))
        command = [sys.executable, "-m", "studio.gateway"]
        with running(command, port, folder, settings.environment()) as process:
            yield Way("whetstone", port, process, {"authorization": f"Bearer {secret}"})
        if record == "full":
            started = time.perf_counter()
            drained = Drain(database, settings.journal).once()
            took = time.perf_counter() - started
            print(f"  {drained:,} recorded calls drained in {took:.1f} s ({drained / took:,.0f} rows/s)")
        database.close()

    return start


@contextmanager
def litellm(folder: Path, upstream: psutil.Process) -> Started:
    program = os.environ.get("WHETSTONE_BENCH_LITELLM", "")
    if not program:
        yield skipped("LiteLLM", "set WHETSTONE_BENCH_LITELLM to its program")
        return
    own, port = folder / "litellm", find_port()
    own.mkdir()
    (own / "config.yaml").write_text(LITELLM.format(upstream=port_of(upstream), key=LITELLM_KEY))
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
    command = [program, "--config", str(own / "config.yaml"), "--host", "127.0.0.1", "--port", str(port)]
    with running(command, port, own, quiet, 240) as process:
        yield Way("litellm", port, process, {"authorization": f"Bearer {LITELLM_KEY}"})


@contextmanager
def portkey(folder: Path, upstream: psutil.Process) -> Started:
    home = os.environ.get("WHETSTONE_BENCH_PORTKEY", "")
    if not home:
        yield skipped("Portkey", "set WHETSTONE_BENCH_PORTKEY to the folder it is installed in")
        return
    own, port = folder / "portkey", find_port()
    own.mkdir()
    program = Path(home, "node_modules/@portkey-ai/gateway/build/start-server.js")
    allowed = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "localhost,127.0.0.1"}
    headers = {
        "authorization": "Bearer sk-x",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"http://127.0.0.1:{port_of(upstream)}/v1",
    }
    with running(["node", str(program), f"--port={port}", "--headless"], port, own, allowed) as process:
        yield Way("portkey", port, process, headers)


PATHS: dict[str, Start] = {
    "bare upstream": bare,
    "nginx": nginx,
    "whetstone record off": whetstone("off"),
    "whetstone recording": whetstone("full"),
    "portkey": portkey,
    "litellm": litellm,
}


def skipped(name: str, why: str) -> None:
    """Said loudly: a figure that is missing must not look like one that was measured."""
    print(f"!! {name} IS NOT MEASURED: {why}.", flush=True)


@contextmanager
def started_upstream() -> Iterator[psutil.Process]:
    port = find_port()
    command = [*at_once(), sys.executable, str(ROOT / "tests/fakes/fast_upstream.py"), str(port), "10"]
    with tempfile.TemporaryDirectory() as folder, running(command, port, Path(folder), core=1) as process:
        PORTS[process.pid] = port
        yield process


@cache
def at_once() -> tuple[str, ...]:
    """The upstream answers as soon as it is asked: it shares its core with the client, whose turns of 4 ms would be
    measured as the proxy's.
    """
    urgent = ("chrt", "--fifo", "50")
    allowed = shutil.which("chrt") and not subprocess.run([*urgent, "true"], capture_output=True).returncode
    if not allowed:
        print("!! The upstream has no priority over the client: the percentiles hold the scheduler's turns, too.")
    return urgent if allowed else ()


PORTS: dict[int, int] = {}


def port_of(upstream: psutil.Process) -> int:
    """Where it listens."""
    return PORTS[upstream.pid]


@contextmanager
def running(
    command: list[str], port: int, folder: Path, more: dict[str, str] | None = None, wait_s: float = 60, core: int = 0
) -> Iterator[psutil.Process]:
    """A process on a core of its own, once it accepts connections."""
    with (folder / f"output-{port}").open("wb") as output, ExitStack() as ending:
        environment = {**os.environ, **(more or {})}
        process = subprocess.Popen(pinned(core, command), env=environment, stdout=output, stderr=output, cwd=ROOT)
        ending.callback(stop, process)
        deadline = time.monotonic() + wait_s
        while not accepts(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start: {(folder / f'output-{port}').read_text()[-2000:]}")
            time.sleep(0.1)
        yield psutil.Process(process.pid)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it, and wait for its end."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def accepts(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pinned(core: int, command: list[str]) -> list[str]:
    """The command on one core, where there is more than one."""
    return ["taskset", "-c", str(core), *command] if CORES > 1 and shutil.which("taskset") else command

"""What every serving target promises, whichever it is: the reconciler relies on nothing else.

Embedded starts a real process (a small program in the model server's place), containers go through the Docker SDK to
an engine that starts real processes too, and external is a server that runs already.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from studio.deploy.artifact import tgi_facts
from studio.deploy.targets import embedded
from studio.deploy.targets.catalog import serving_target
from studio.deploy.targets.containers import vllm
from studio.deploy.targets.port import Launch, Look, Place, Running, ServingTarget
from studio.jobs import processes
from tests.fakes.engine_api import FakeEngine
from tests.fakes.tgi import FakeTgi

KINDS = ("embedded", "tgi", "vllm", "external")
STAND_IN = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Well(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
print("Connected", flush=True)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Well).serve_forever()
"""


@dataclass(frozen=True)
class Bench:
    """One kind of target at one place, and a revision for it."""

    kind: str
    place: Place
    launch: Launch

    def target(self) -> ServingTarget:
        """Built anew at each call, as the reconciler does."""
        return serving_target(self.kind, self.place)

    def look(self, handle: str) -> Look:
        """What is seen of it."""
        return self.target().look(handle, self.launch.folder)


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    model = tmp_path / "models" / "abc"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    launch = Launch(f"contract-{tmp_path.name}", "triage-r1", model, tmp_path / "server", "sk-1", options={})
    with FakeTgi(name="triage-r1").running() as elsewhere, _engine(tmp_path).running() as engine:
        places = {"embedded": Place(), "external": Place(url=elsewhere.url, options={"dialect": "tgi"})}
        monkeypatch.setattr(embedded, "_command", _stand_in)
        yield Bench(request.param, places.get(request.param, engine.place(gpu="none")), launch)
    for revision in (launch.revision_id, f"{launch.revision_id}-b"):
        processes.kill(processes.with_cookie(embedded.COOKIE, revision))


def _engine(folder: Path) -> FakeEngine:
    return FakeEngine(folder / "e.sock", images={tgi_facts.CPU_IMAGE, vllm.CPU_IMAGE}, runs=True)


def _stand_in(launch: Launch, endpoint: str) -> list[str]:
    return [sys.executable, "-c", STAND_IN, endpoint.rpartition(":")[2]]


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def answers(running: Running) -> bool:
    try:
        return httpx.get(f"{running.endpoint}/health", timeout=30, trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_a_launch_returns_a_handle_and_an_address_that_comes_to_answer(bench: Bench) -> None:
    running = bench.target().launch(bench.launch)
    assert running.handle and running.endpoint.startswith("http://") and not running.endpoint.endswith("/v1")
    assert running.dialect in ("tgi", "vllm", "openai")
    until(lambda: answers(running), "healthy")
    assert bench.look(running.handle).alive


def test_a_second_launch_of_the_same_revision_finds_the_first_ones_server(bench: Bench) -> None:
    first = bench.target().launch(bench.launch)
    until(lambda: answers(first), "healthy")
    assert bench.target().launch(bench.launch) == first


def test_launches_go_one_per_revision(bench: Bench) -> None:
    first = bench.target().launch(bench.launch)
    other = replace(bench.launch, revision_id=f"{bench.launch.revision_id}-b", folder=bench.launch.folder / "b")
    second = bench.target().launch(other)
    assert (second.handle != first.handle) == bench.target().caps.managed
    if bench.target().caps.managed:
        bench.target().stop(second.handle, now=True)
        until(lambda: not bench.target().look(second.handle, other.folder).alive, "ended")
        assert bench.look(first.handle).alive


def test_a_stop_lets_it_go_and_its_log_stays(bench: Bench) -> None:
    running = bench.target().launch(bench.launch)
    until(lambda: answers(running), "healthy")
    bench.target().stop(running.handle)
    if not bench.target().caps.managed:
        assert answers(running) and bench.look(running.handle).alive
        return
    until(lambda: not bench.look(running.handle).alive, "ended")
    assert bench.look(running.handle).log_tail
    assert not answers(running)


def test_a_stop_of_what_is_gone_is_harmless(bench: Bench) -> None:
    running = bench.target().launch(bench.launch)
    if bench.target().caps.managed:
        bench.target().stop(running.handle, now=True)
        until(lambda: not bench.look(running.handle).alive, "ended")
    for now in (False, True):
        bench.target().stop(running.handle, now=now)
        bench.target().stop("1:1", now=now)


def test_what_it_never_started_is_not_alive_where_it_can_tell(bench: Bench) -> None:
    assert bench.look("1:1").alive != bench.target().caps.managed


def test_after_its_server_ended_a_launch_starts_another(bench: Bench) -> None:
    first = bench.target().launch(bench.launch)
    if bench.target().caps.managed:
        bench.target().stop(first.handle, now=True)
        until(lambda: not bench.look(first.handle).alive, "ended")
    second = bench.target().launch(bench.launch)
    assert (second.handle != first.handle) == bench.target().caps.managed
    until(lambda: answers(second), "healthy")


def test_many_looks_at_once_agree(bench: Bench) -> None:
    running = bench.target().launch(bench.launch)
    with ThreadPoolExecutor(4) as pool:
        assert all(look.alive for look in pool.map(bench.look, [running.handle] * 8))


def test_a_target_says_what_it_can(bench: Bench) -> None:
    caps = bench.target().caps
    assert caps.private or bench.kind == "external"
    assert caps.grace_s > 0 and isinstance(caps.outlives_studio, bool)

"""Every runner that runs our own job, on the same small job."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.train.runners.port import FOLDER, PYTHON, Runner, RunSpec, RunState
from studio.train.runners.process import ProcessRunner
from studio.train.runners.ray import RayRunner
from tests.fakes import ray_cluster, ray_server, small_job

RAYS = ("fake ray", "fake ray, shared folder")
REAL = [pytest.param(f"real ray{how}", marks=pytest.mark.slow) for how in ("", ", shared folder")]
Waits = Callable[[str], RunState]


@pytest.fixture(scope="session")
def cluster() -> Iterator[ray_cluster.Cluster]:
    if reason := ray_cluster.why_not():
        pytest.skip(reason)
    with ray_cluster.real_ray() as found:
        yield found


@pytest.fixture
def ray(tmp_path: Path) -> Iterator[ray_server.FakeRay]:
    with ray_server.fake_ray(tmp_path) as found:
        yield found


@pytest.fixture(params=["child process", *RAYS, *REAL])
def runner(request: pytest.FixtureRequest, tmp_path: Path) -> Runner:
    kind = request.param
    if kind == "child process":
        return ProcessRunner(tmp_path / "attempts")
    options: dict[str, Any] = {"python": sys.executable, "grace_s": 10}
    if "shared" in kind:
        (tmp_path / "shared").mkdir()
        options["folder"] = str(tmp_path / "shared")
    if kind in RAYS:
        found = request.getfixturevalue("ray")
        return RayRunner(found.url, ray_server.TOKEN, options)
    real = request.getfixturevalue("cluster")
    return RayRunner(real.url, real.token, options)


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., RunSpec]:
    """A run's folder with the small job in it."""

    def make(run_id: str = "", **how: Any) -> RunSpec:
        name = run_id or f"run{time.time_ns():x}"
        folder = tmp_path / name
        (folder / "data").mkdir(parents=True)
        shutil.copy(small_job.__file__, folder / "job.py")
        (folder / "how.json").write_text(json.dumps(how))
        mark = {"JOB_MARK": str(tmp_path / f"{name}.mark")}
        return RunSpec(name, folder, argv=(PYTHON, "job.py", FOLDER), env=mark)

    return make


@pytest.fixture
def wait(runner: Runner) -> Waits:
    """Wait until the attempt is in this state, or has ended in another."""

    def until(handle: str, state: str = "", within_s: float = 60.0) -> RunState:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            found = runner.status(handle)
            if found.ended or found.state == state:
                return found
            time.sleep(0.05)
        raise TimeoutError(f"{handle} is {runner.status(handle)}")

    return until

"""What every runner promises: a child process, a Ray that is a small server, and (asked for) a real Ray."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.jobs import processes
from studio.train.runners.follow import taken_apart
from studio.train.runners.port import PYTHON, Runner, RunSpec, RunState
from studio.train.runners.ray import RayRunner
from tests.fakes.ray_cluster import Cluster

Specs = Callable[..., RunSpec]
Waits = Callable[..., RunState]


def began(spec: RunSpec) -> list[int]:
    path = Path(spec.env["JOB_MARK"])
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def wait_until_it_began(spec: RunSpec) -> int:
    deadline = time.monotonic() + 60
    while not began(spec) and time.monotonic() < deadline:
        time.sleep(0.05)
    return began(spec)[0]


def test_a_run_succeeds_and_its_results_come_home_without_pickles(
    runner: Runner, spec: Specs, wait: Waits, tmp_path: Path
) -> None:
    asked = spec()
    handle = runner.submit(asked, 1)
    assert wait(handle) == RunState("succeeded", 0)
    home = asked.folder if runner.in_place else tmp_path / "home"
    runner.collect(handle, home)
    assert (home / "adapter" / "adapter_model.safetensors").read_bytes() == bytes(range(256)) * 256
    assert '"steps": 3' in (home / "summary.json").read_text()
    assert runner.in_place or not (home / "adapter" / "training_args.bin").exists()


def test_the_log_is_read_piece_by_piece_and_holds_lines_and_events(runner: Runner, spec: Specs, wait: Waits) -> None:
    handle = runner.submit(spec(steps=4, pause_s=0.3), 1)
    wait(handle, "running")
    pieces, offset = b"", 0
    while True:
        ended = runner.status(handle).ended
        block, offset = runner.logs(handle, offset)
        pieces += block
        if ended:
            break
        time.sleep(0.1)
    whole, end = runner.logs(handle, 0)
    assert (pieces, offset) == (whole, end)
    found = taken_apart(whole)
    assert "Loading the trainer" in found.lines
    assert [b'"step": %d' % step in event for step, event in enumerate(found.events, 1)] == [True] * 4


def test_the_same_attempt_is_never_started_twice(runner: Runner, spec: Specs, wait: Waits) -> None:
    asked = spec()
    first = runner.submit(asked, 1)
    assert runner.submit(asked, 1) == first
    wait(first)
    assert runner.submit(asked, 1) == first
    assert len(began(asked)) == 1
    assert list(runner.list_mine()).count(first) == 1


def test_another_attempt_is_another_run_with_files_of_its_own(runner: Runner, spec: Specs, wait: Waits) -> None:
    asked = spec()
    handles = [runner.submit(asked, attempt) for attempt in (1, 2)]
    assert handles[0] != handles[1]
    assert {wait(handle).ended for handle in handles} == {True}
    assert runner.status(handles[1]).state == "succeeded"


def test_a_cancelled_run_is_asked_first_and_saves(runner: Runner, spec: Specs, wait: Waits) -> None:
    asked = spec(steps=600, pause_s=0.1)
    handle = runner.submit(asked, 1)
    wait_until_it_began(asked)
    runner.cancel(handle, 10)
    assert wait(handle).state == "cancelled"
    assert b"a checkpoint was saved" in runner.logs(handle, 0)[0]
    runner.cancel(handle, 0)
    assert runner.status(handle).state == "cancelled"


def test_a_run_that_fails_says_its_code_and_its_own_words_come_home(
    runner: Runner, spec: Specs, wait: Waits, tmp_path: Path
) -> None:
    asked = spec(code=1)
    handle = runner.submit(asked, 1)
    state = wait(handle)
    assert (state.state, state.exit_code) == ("failed", 1)
    home = asked.folder if runner.in_place else tmp_path / "home"
    runner.collect(handle, home)
    assert "did not fit in memory" in (home / "error.json").read_text()


def test_a_killed_job_is_failed_with_its_signal(runner: Runner, spec: Specs, wait: Waits) -> None:
    asked = spec(steps=600, pause_s=0.1)
    handle = runner.submit(asked, 1)
    os.kill(wait_until_it_began(asked), signal.SIGKILL)
    state = wait(handle)
    assert (state.state, state.exit_code) == ("failed", 137)
    assert "out of memory" in state.reason


def test_a_killed_entrypoint_ends_the_run_and_takes_its_job_along(runner: Runner, spec: Specs, wait: Waits) -> None:
    asked = spec(steps=600, pause_s=0.1)
    handle = runner.submit(asked, 1)
    job = wait_until_it_began(asked)
    entrypoint = int(Path(f"/proc/{job}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(entrypoint, signal.SIGKILL)
    assert wait(handle).state in ("failed", "lost")
    deadline = time.monotonic() + 60
    while processes.is_alive(job) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes.is_alive(job)


def test_the_studio_s_own_source_is_there_in_this_version(runner: Runner, spec: Specs, wait: Waits) -> None:
    asked = spec()
    code = "import studio.train.recipe, studio.train.recipes.process as it; print('from', it.__file__)"
    handle = runner.submit(RunSpec(asked.run_id, asked.folder, (PYTHON, "-c", code), asked.env), 1)
    assert wait(handle).state == "succeeded"
    lines = taken_apart(runner.logs(handle, 0)[0]).lines
    where = next(line for line in lines if line.startswith("from "))
    assert runner.in_place or "/code/studio/train" in where


def test_a_run_that_nobody_knows_is_lost_and_not_failed(runner: Runner) -> None:
    assert runner.status("never-a1").state == "lost"


def test_a_run_that_takes_too_long_is_ended(runner: Runner, spec: Specs, wait: Waits) -> None:
    asked = spec()
    short = RunSpec(asked.run_id, asked.folder, asked.argv, asked.env, timeout_s=0.5)
    (asked.folder / "how.json").write_text('{"steps": 600, "pause_s": 0.1}')
    state = wait(runner.submit(short, 1))
    assert (state.state, state.exit_code) == ("failed", 124)
    assert "time limit" in state.reason


@pytest.mark.slow
def test_a_real_cluster_gives_a_job_the_grace_it_was_promised(cluster: Cluster, spec: Specs) -> None:
    runner = RayRunner(cluster.url, cluster.token, {"python": sys.executable, "grace_s": 20})
    asked = spec(steps=600, pause_s=0.1, saving_s=6)
    handle = runner.submit(asked, 1)
    wait_until_it_began(asked)
    runner.cancel(handle, 20)
    deadline = time.monotonic() + 60
    while not runner.status(handle).ended and time.monotonic() < deadline:
        time.sleep(0.2)
    assert b"a checkpoint was saved" in runner.logs(handle, 0)[0], "Ray's own grace is three seconds"


@pytest.mark.slow
def test_a_real_cluster_that_stops_answering_makes_the_run_unknown_until_it_answers_again(
    cluster: Cluster, spec: Specs
) -> None:
    runner = RayRunner(cluster.url, cluster.token, {"python": sys.executable})
    asked = spec(steps=300, pause_s=0.1)
    handle = runner.submit(asked, 1)
    job = wait_until_it_began(asked)
    runner.http.timeout = 2.0
    heads = cluster.processes("dashboard/dashboard.py")
    assert heads
    try:
        for head in heads:
            os.kill(head, signal.SIGSTOP)
        state = runner.status(handle)
        assert (state.state, "does not answer" in state.reason) == ("unknown", True)
        assert processes.is_alive(job)
    finally:
        for head in heads:
            os.kill(head, signal.SIGCONT)
    runner.http.timeout = 60.0
    assert runner.status(handle).state == "running"
    assert runner.submit(asked, 1) == handle and len(began(asked)) == 1
    runner.cancel(handle, 5)

"""Jobs forked from a warm process: started at once, and as well supervised as any."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from storage.tables import Job
from studio.jobs import processes
from studio.jobs.launch import environment
from studio.jobs.warm.client import WarmStart
from studio.settings import Settings
from tests.fakes.jobs_worker import WARM_KINDS, WARM_MODULES
from tests.integration.jobs.conftest import OPERATOR, Host, parent

pytestmark = pytest.mark.slow
WARM_WORKER = ("tests.fakes.jobs_worker", "warm")


@pytest.fixture
def warm(host: Host) -> Host:
    """A host whose worker has its warm process ready, with one job done."""
    host.start_worker(*WARM_WORKER)
    host.jobs.wait(host.put(n=1).id, 90)
    assert len(host.warm_processes()) == 1
    return host


def test_a_job_is_forked_as_the_shims_child_in_a_session_of_its_own(warm: Host) -> None:
    job = warm.put(n=10_000)
    warm.starts(job)
    roles = {role: pid for pid, role in warm.processes().items()}
    assert sorted(roles) == ["grandchild", "job", "shim"]
    (server,) = warm.warm_processes()
    assert (parent(roles["shim"]), parent(roles["job"])) == (server, roles["shim"])
    assert os.getsid(roles["job"]) == roles["shim"] and os.getpgid(roles["job"]) == roles["job"]
    assert os.getsid(server) == server
    record = warm.folder(job).process(1)
    assert record and (record["shim"], record["group"]) == (roles["shim"], roles["job"])
    assert set(processes.with_cookie("STUDIO_RUN", job.id)) == set(roles.values())
    assert Path(f"/proc/{roles['job']}/cwd").resolve() == warm.folder(job).work.resolve()
    assert warm.folder(job).is_alive()


def test_a_forked_job_is_cancelled_politely_and_by_force(warm: Host) -> None:
    polite, stubborn = warm.put(n=10_000), warm.put(n=10_000, stubborn=True)
    for job in (polite, stubborn):
        warm.starts(job)
        warm.jobs.cancel(OPERATOR, job.id)
    assert warm.reaches(polite, "cancelled").exit_code == 143
    assert warm.reaches(stubborn, "cancelled").exit_code == -signal.SIGKILL and warm.processes() == {}


def test_a_forked_job_outlives_worker_and_warm_process_and_is_adopted(warm: Host) -> None:
    job = warm.put(n=80, pause=0.05)
    warm.starts(job)
    warm.kill_worker()
    warm.until(lambda: warm.warm_processes() == [])  # it goes with its worker
    assert "job" in warm.processes().values()
    warm.start_worker(*WARM_WORKER)
    done = warm.jobs.wait(job.id, 90)
    assert done.attempt == 1 and warm.lines(job, "starts") == [0] and warm.lines(job, "completions") == [80]


def test_a_killed_shim_is_resumed_and_a_killed_warm_process_made_anew(warm: Host) -> None:
    job, (server,) = warm.put(n=120, pause=0.03), warm.warm_processes()
    warm.until(lambda: (warm.folder(job).work / "saved.json").exists())
    os.kill(next(pid for pid, role in warm.processes().items() if role == "shim"), signal.SIGKILL)
    warm.starts(job, 2)
    os.kill(server, signal.SIGKILL)
    done = warm.jobs.wait(job.id, 60)
    assert done.attempt == 2 and warm.lines(job, "starts")[1] > 0 and warm.processes() == {}
    assert warm.jobs.wait(warm.put(n=2).id, 90).status == "succeeded"
    assert len(warm.warm_processes()) == 1 and warm.warm_processes() != [server]


def test_a_failure_in_a_forked_job_is_told_like_any(host: Host) -> None:
    settings, job = host.settings, Job(kind="test_broken", spec={"how": "bug"}, created_by="x", title="broken")
    host.start_worker(*WARM_WORKER)
    with host.database.write() as session:
        job.kind = "test_steps"  # without `n` the handler raises
        session.add(job)
    failed = host.reaches(job, "failed")
    log = (host.folder(job).attempt(1) / "log.txt").read_text()
    assert failed.exit_code == 1 and "KeyError" in str(failed.error) and "Traceback" in log
    assert settings.runs.exists() and host.processes() == {}


def test_a_process_that_started_threads_forks_nothing(host: Host) -> None:
    warm = WarmStart(host.settings, WARM_KINDS, (*WARM_MODULES, "tests.fakes.threaded_module"))
    env = {**host.env, **environment(Job(kind="test_steps"), host.settings, [])}
    assert warm.held_back("test_steps", env) == {"test_steps"}
    host.until(lambda: warm.held_back("test_steps", env) == frozenset(), 90)
    assert "1 threads were started" in (host.settings.runs / "warm.txt").read_text()
    assert not warm.fork({}, env, 0, 0) and host.warm_processes() == []
    warm.close()


def test_the_real_trainers_load_on_one_thread(host: Host) -> None:
    warm = WarmStart(host.settings)
    env = {**host.env, **environment(Job(kind="train"), host.settings, [])}
    host.until(lambda: not warm.held_back("train", env), 60)
    assert len(host.warm_processes()) == 1, (host.settings.runs / "warm.txt").read_text()
    assert (host.settings.runs / "warm.txt").read_text() == ""
    warm.close()


def test_an_idle_warm_process_is_let_go(host: Host) -> None:
    settings = Settings(home=host.settings.home, warm_minutes=0.02)
    warm = WarmStart(settings, WARM_KINDS, WARM_MODULES)
    env = environment(Job(kind="test_steps"), settings, [])
    host.until(lambda: not warm.held_back("test_steps", env), 90)
    assert len(host.warm_processes()) == 1
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        warm.look(is_needed=True)
        time.sleep(0.05)
    assert len(host.warm_processes()) == 1  # a job runs
    host.until(lambda: warm.look(is_needed=False) or host.warm_processes() == [], 90)
    warm.close()


@pytest.mark.parametrize("changes", [{"warm_minutes": 0}, {"worker_gpus": 1}])
def test_warm_start_is_off_when_told_so_and_beside_gpus(host: Host, changes: dict[str, float]) -> None:
    settings = Settings(home=host.settings.home, **changes)  # type: ignore[arg-type]
    warm = WarmStart(settings, WARM_KINDS, WARM_MODULES)
    assert warm.held_back("test_steps", {}) == frozenset() and host.warm_processes() == []


def test_a_job_in_another_environment_starts_cold(host: Host) -> None:
    warm = WarmStart(host.settings, WARM_KINDS, WARM_MODULES)
    env = {**host.env, **environment(Job(kind="test_steps"), host.settings, [])}
    host.until(lambda: not warm.held_back("test_steps", env), 90)
    assert not warm.fork({}, {**env, "OMP_NUM_THREADS": "7"}, 0, 0)
    warm.close()

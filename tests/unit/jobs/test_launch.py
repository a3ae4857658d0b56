"""The environment an attempt starts in, its lock and its GPUs, and how left-over processes are found."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.database import Database
from storage.tables import Job
from studio.errors import Conflict
from studio.jobs import processes
from studio.jobs.folders import RunFolder
from studio.jobs.launch import command, environment, why_not
from studio.jobs.local import LocalWorker, is_worker_running
from studio.settings import Settings

JOB = Job(id="j", kind="k", attempt=2)


def test_an_attempt_sees_the_settings_of_its_worker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(settings.root.parent)
    env = environment(JOB, Settings(home=Path("home"), worker_slots=7), [])
    for name in list(os.environ):
        if name.startswith("STUDIO_"):
            monkeypatch.delenv(name)
    for name, value in env.items():
        if name.startswith("STUDIO_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir("/")
    seen = Settings()
    assert seen.root == settings.root and seen.worker_slots == 7
    assert seen.database == settings.database and seen.artifacts == settings.artifacts


def test_thread_pools_are_calm_and_telemetry_is_off(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    env = environment(JOB, settings, [])
    assert env["OMP_NUM_THREADS"] == "1"  # the operator's choice wins
    assert (env["OMP_WAIT_POLICY"], env["TOKENIZERS_PARALLELISM"]) == ("PASSIVE", "false")
    assert (env["HF_HUB_DISABLE_TELEMETRY"], env["TRL_EXPERIMENTAL_SILENCE"]) == ("1", "1")
    assert (env["STUDIO_RUN"], env["STUDIO_ATTEMPT"]) == ("j", "2")
    assert command(JOB)[1:] == ["-m", "studio.run_job", "j", "2"]


def test_a_file_in_the_work_folder_cannot_pose_as_a_module(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('hijacked')")
    argv = [sys.executable, "-c", "import json, studio; print(json.dumps(1))"]
    env = environment(JOB, settings, [])
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr


def test_gpus_are_only_named_where_the_worker_has_some(settings: Settings) -> None:
    without = environment(JOB, settings, [])
    assert without.get("CUDA_VISIBLE_DEVICES") == os.environ.get("CUDA_VISIBLE_DEVICES")
    with_gpus = Settings(home=settings.home, worker_gpus=4)
    assert environment(JOB, with_gpus, [1, 3])["CUDA_VISIBLE_DEVICES"] == "1,3"
    assert environment(JOB, with_gpus, [])["CUDA_VISIBLE_DEVICES"] == ""


def test_a_new_worker_knows_which_gpus_are_taken(settings: Settings, database: Database) -> None:
    worker = LocalWorker(Settings(home=settings.home, worker_gpus=4), database)
    running = Job(id="a", kind="k", attempt=1, gpus=2)
    folder = RunFolder.of(settings.runs, "a")
    folder.prepare(1)
    folder.write_gpus(1, [0, 2])
    assert worker._free_gpus([running]) == [1, 3]
    worker.close()


def test_one_worker_serves_a_data_folder(settings: Settings, database: Database) -> None:
    first = LocalWorker(settings, database)
    assert is_worker_running(settings)
    with pytest.raises(Conflict, match="Another worker"):
        LocalWorker(settings, database)
    first.close()
    assert not is_worker_running(settings)


def test_a_worker_keeps_its_name_across_restarts(settings: Settings, database: Database) -> None:
    names = set()
    for _ in range(2):
        worker = LocalWorker(settings, database)
        names.add(worker.host)
        worker.close()
    assert len(names) == 1


def test_a_full_disk_at_the_start_is_a_sentence() -> None:
    assert why_not(OSError(errno.ENOSPC, "No space left on device")).startswith("The disk is full")
    assert "Too many open files" in why_not(OSError(errno.EMFILE, "Too many open files"))


def test_the_lock_tells_whether_a_run_is_alive(tmp_path: Path) -> None:
    run = RunFolder.of(tmp_path, "j")
    assert not run.is_alive()
    lock = run.take_lock()
    assert lock is not None and run.is_alive() and run.take_lock() is None
    with subprocess.Popen(["sleep", "60"], pass_fds=[lock]) as heir:
        os.close(lock)
        assert run.is_alive()  # whoever inherited it holds it
        heir.kill()
        heir.wait()
        assert not run.is_alive()


def test_left_over_processes_are_found_by_their_cookie() -> None:
    env = {**os.environ, "STUDIO_RUN": "cookie-test"}
    with subprocess.Popen(["sleep", "60"], env=env, start_new_session=True) as hidden:
        assert processes.with_cookie("STUDIO_RUN", "cookie-test") == [hidden.pid]
        assert processes.with_cookie("STUDIO_RUN", "cookie") == []
        processes.kill([hidden.pid])
    assert processes.with_cookie("STUDIO_RUN", "cookie-test") == []


def test_a_reused_process_number_is_not_signalled() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        processes.signal_group(other.pid, "12345", processes.signal.SIGKILL)
        assert processes.is_alive(other.pid)
        processes.signal_group(other.pid, processes.start_time(other.pid), processes.signal.SIGKILL)
        assert other.wait(60) == -9
    assert not processes.is_alive(other.pid) and processes.start_time(other.pid) == ""

"""Real workers, shims and jobs: cancel, adoption, resume, errors, and nothing left running."""

from __future__ import annotations

import os
import signal
import time

import pytest

from storage.tables import Job
from studio.jobs.folders import log_tail
from studio.jobs.local import LocalWorker
from studio.jobs.processes import is_alive
from tests.integration.jobs.conftest import OPERATOR, Host

pytestmark = pytest.mark.slow


def test_a_job_runs_in_its_own_process_and_leaves_its_result_and_log(worked: Host) -> None:
    job = worked.jobs.wait(worked.put(n=8).id, 90)
    assert job.result == {"steps": 8, "started_from": [0]} and job.progress == 1.0 and job.exit_code == 0
    assert [what.split()[0] for what in worked.history(job)] == ["queued", "claimed", "running", "succeeded"]
    assert worked.processes() == {}


def test_progress_and_time_left_are_seen_while_it_runs(worked: Host) -> None:
    job = worked.put(n=400, pause=0.02)
    worked.until(lambda: worked.jobs.get(job.id).progress > 0.05)
    running = worked.jobs.get(job.id)
    assert running.progress_text.endswith("of 400") and (worked.jobs.eta_seconds(running) or 0) > 0


def test_a_polite_job_leaves_soon_after_cancel(worked: Host) -> None:
    job = worked.put(n=10_000)
    worked.starts(job)
    worked.jobs.cancel(OPERATOR, job.id)
    assert worked.reaches(job, "cancelled").exit_code == 143 and worked.processes() == {}


def test_a_job_cancelled_while_it_starts_does_not_wait_for_the_grace(host: Host) -> None:
    worker = LocalWorker(host.settings, host.database, grace_s=60)
    job = host.put(n=10_000)
    worker.tick()
    host.jobs.cancel(OPERATOR, job.id)
    worker.tick()  # before the shim has recorded a process to ask
    host.until(lambda: worker.tick() or host.jobs.get(job.id).status == "cancelled", 50)
    worker.close()
    assert host.processes() == {} and host.lines(job, "completions") == []


def test_a_worker_stopped_while_a_job_starts_does_not_wait_for_the_grace(host: Host) -> None:
    worker = LocalWorker(host.settings, host.database, grace_s=60)
    job = host.put(n=10_000)
    worker.tick()
    began = time.monotonic()
    worker.stop_all()
    worker.close()
    assert time.monotonic() - began < 55
    assert host.jobs.get(job.id).status == "queued" and host.processes() == {}


def test_a_stubborn_job_with_a_hidden_grandchild_is_killed_after_the_grace(worked: Host) -> None:
    job = worked.put(n=10_000, stubborn=True)
    worked.starts(job)
    worked.jobs.cancel(OPERATOR, job.id)
    assert worked.reaches(job, "cancelled").exit_code == -signal.SIGKILL
    assert worked.processes() == {}


def test_a_job_outlives_its_worker_and_the_next_one_adopts_it(host: Host) -> None:
    host.start_worker()
    job = host.put(n=60, pause=0.06)
    host.starts(job)
    host.kill_worker()
    assert "job" in host.processes().values()
    host.start_worker()
    done = host.jobs.wait(job.id, 90)
    assert done.attempt == 1 and host.lines(job, "starts") == [0] and host.lines(job, "completions") == [60]


def test_a_job_that_ends_while_no_worker_watches_is_still_recorded(host: Host) -> None:
    host.start_worker()
    job = host.put(n=20)
    host.starts(job)
    host.kill_worker()
    host.until(lambda: host.folder(job).exit(1))
    assert host.jobs.get(job.id).status == "running"
    host.start_worker()
    assert host.jobs.wait(job.id, 90).attempt == 1


def test_after_a_power_cut_the_job_goes_on_from_what_it_saved(host: Host) -> None:
    host.start_worker()
    job = host.put(n=200, pause=0.02)
    host.until(lambda: (host.folder(job).work / "saved.json").exists())
    host.clean_up()
    host.start_worker()
    done = host.jobs.wait(job.id, 60)
    first, second = host.lines(job, "starts")
    assert first == 0 and second > 0 and (done.attempt, done.interruptions) == (2, 1)


def test_a_stopped_worker_stops_its_jobs_and_the_next_one_resumes_them(host: Host) -> None:
    host.start_worker()
    job = host.put(n=200, pause=0.02)
    host.until(lambda: (host.folder(job).work / "saved.json").exists())
    assert host.stop_worker() == 0
    waiting = host.jobs.get(job.id)
    assert (waiting.status, waiting.interruptions) == ("queued", 0) and host.processes() == {}
    host.start_worker()
    assert host.jobs.wait(job.id, 60).attempt == 2 and host.lines(job, "starts")[1] > 0


def test_a_cancelled_job_can_be_retried_and_goes_on(worked: Host) -> None:
    job = worked.put(n=200, pause=0.02)
    worked.until(lambda: (worked.folder(job).work / "saved.json").exists())
    worked.jobs.cancel(OPERATOR, job.id)
    worked.reaches(job, "cancelled")
    worked.jobs.retry(OPERATOR, job.id)
    assert worked.jobs.wait(job.id, 60).status == "succeeded" and worked.lines(job, "starts")[1] > 0


def test_a_failure_is_a_sentence_and_its_traceback_is_in_the_log(worked: Host) -> None:
    told = {
        "sentence": "Line 3 is not JSON. Correct it and import the file again.",
        "bug": "Unexpected error: ZeroDivisionError",
        "full": "The disk is full",
        "memory": "The job ran out of memory",
    }
    jobs = {how: worked.put("test_broken", how=how) for how in told}
    for how, job in jobs.items():
        failed = worked.reaches(job, "failed")
        assert (failed.error or "").startswith(told[how]) and failed.attempt == 1
        assert "Traceback" in log_tail(worked.settings.runs, job.id, 1)


def test_a_job_that_is_killed_again_and_again_fails_with_the_likely_cause(worked: Host) -> None:
    job = worked.put("test_broken", how="kill")
    with worked.database.write() as session:
        session.merge(job).max_interruptions = 1
    failed = worked.reaches(job, "failed", 60)
    assert "2 times" in (failed.error or "") and "perhaps out of memory" in (failed.error or "")
    assert (failed.attempt, failed.exit_code) == (2, -signal.SIGKILL)


def test_an_unknown_kind_fails_with_a_sentence(worked: Host) -> None:
    job = worked.reaches(worked.put("juggle"), "failed")
    assert job.error == "No handler for jobs of kind 'juggle'."


def test_no_more_jobs_run_at_once_than_there_are_slots(worked: Host) -> None:
    jobs = [worked.put(n=2000, pause=0.05) for _ in range(3)]
    slots = worked.settings.worker_slots

    def running() -> int:
        seen = [pid for pid, role in worked.processes().items() if role == "job"]
        return sum(map(is_alive, seen))  # one may have ended while the others were looked for

    worked.until(lambda: running() == slots)
    assert max(running() for _look in range(20)) == slots == len(jobs) - 1
    waiting = [job for job in jobs if worked.jobs.get(job.id).status == "queued"]
    assert len(waiting) == 1
    worked.jobs.cancel(OPERATOR, next(job.id for job in jobs if job not in waiting))
    worked.reaches(waiting[0], "running")
    assert max(running() for _look in range(20)) <= slots
    for job in jobs:
        if worked.jobs.get(job.id).status == "running":
            worked.jobs.cancel(OPERATOR, job.id)
            worked.reaches(job, "cancelled")


def test_a_job_that_lost_its_shim_is_ended_and_resumed(worked: Host) -> None:
    job = worked.put(n=200, pause=0.02)
    worked.until(lambda: (worked.folder(job).work / "saved.json").exists())
    for pid in [pid for pid, role in worked.processes().items() if role == "shim"]:
        os.kill(pid, signal.SIGKILL)
    done: Job = worked.jobs.wait(job.id, 60)
    assert done.attempt == 2 and worked.lines(job, "violations") == [] and worked.processes() == {}


def test_a_second_worker_on_the_same_folder_refuses_to_start(host: Host) -> None:
    host.start_worker()
    host.until(lambda: b"worker up" in host.log.read_bytes())
    first = host.worker
    host.start_worker()
    assert host.worker is not None and host.worker.wait(90) == 1
    assert "Another worker already serves this data folder" in host.log.read_text()
    assert first is not None and first.poll() is None
    host.worker = first

"""What the end of an attempt means, told from the files it left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.tables import Job
from studio.jobs.folders import RunFolder
from studio.jobs.outcome import judge


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    made = RunFolder.of(tmp_path, "j")
    made.prepare(1)
    return made


def _exited(run: RunFolder, code: int) -> None:
    (run.attempt(1) / "exit.json").write_text(json.dumps({"code": code, "at": 0}))


def _judged(run: RunFolder, **columns: Any) -> dict[str, Any]:
    return judge(Job(id="j", kind="k", attempt=1, status="running", **columns), run).values


def test_a_result_means_success(run: RunFolder) -> None:
    run.write_result({"rows": 3})
    _exited(run, 0)
    values = _judged(run)
    assert (values["status"], values["result"], values["progress"]) == ("succeeded", {"rows": 3}, 1.0)


def test_a_job_killed_after_its_result_is_done_even_if_a_cancel_came(run: RunFolder) -> None:
    run.write_result({})
    assert _judged(run)["status"] == "succeeded"
    assert _judged(run, cancel_requested=True)["status"] == "succeeded"


@pytest.mark.parametrize("code", [143, 1, -9, None])
def test_however_it_ended_after_a_cancel_it_is_cancelled(run: RunFolder, code: int | None) -> None:
    if code is not None:
        _exited(run, code)
    assert _judged(run, cancel_requested=True)["status"] == "cancelled"


def test_the_sentence_the_job_left_is_its_error(run: RunFolder) -> None:
    run.write_error(1, "Line 3 is not JSON.")
    _exited(run, 1)
    values = _judged(run)
    assert (values["status"], values["error"], values["exit_code"]) == ("failed", "Line 3 is not JSON.", 1)


@pytest.mark.parametrize(("code", "told"), [(0, "without a result"), (3, "exit code 3")])
def test_an_end_without_a_word_points_to_the_log(run: RunFolder, code: int, told: str) -> None:
    _exited(run, code)
    values = _judged(run)
    assert values["status"] == "failed" and told in values["error"] and "log" in values["error"]


@pytest.mark.parametrize("code", [-9, -15, -11, None])
def test_a_killed_attempt_goes_back_to_the_queue(run: RunFolder, code: int | None) -> None:
    if code is not None:
        _exited(run, code)
    values = _judged(run, interruptions=2)
    assert (values["status"], values["host"], values["interruptions"]) == ("queued", None, 3)


def test_after_too_many_kills_it_fails_and_names_the_likely_cause(run: RunFolder) -> None:
    _exited(run, -9)
    values = _judged(run, interruptions=3)
    assert values["status"] == "failed"
    assert "4 times" in values["error"] and "killed by signal 9, perhaps out of memory" in values["error"]


def test_a_stop_together_with_the_worker_is_not_held_against_it(run: RunFolder) -> None:
    _exited(run, 143)
    assert (_judged(run, interruptions=3)["status"], _judged(run)["interruptions"]) == ("queued", 0)


@pytest.mark.parametrize("code", [-9, 1])
def test_nor_is_one_that_had_to_be_forced(run: RunFolder, code: int) -> None:
    run.mark_stopped(1)
    _exited(run, code)
    assert (_judged(run, interruptions=3)["status"], _judged(run)["interruptions"]) == ("queued", 0)


def test_records_of_an_attempt_counted_before_a_restore_are_not_believed(run: RunFolder) -> None:
    _exited(run, 1)
    run.write_error(1, "old")
    run.prepare(1)
    assert run.exit(1) is None and run.error(1) is None

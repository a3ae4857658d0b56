"""Journeys to a place and back, through silence, restarts, lost answers, cancels and failures: always one run."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.errors import InvalidInput, Unavailable
from studio.jobs.context import JobCancelled
from studio.train.events import tail
from studio.train.failures.errors import OutOfMemory
from studio.train.runners import journey as journeys
from studio.train.runners import luggage
from studio.train.runners.far_end import LARGEST_IN_LOG
from studio.train.runners.journey import Journey, RunFailedThere, Telling
from studio.train.runners.port import Runner, RunSpec, RunState
from studio.train.runners.process import ProcessRunner
from studio.train.runners.ray import RayRunner
from studio.train.runners.record import Record
from tests.fakes.ray_server import TOKEN, FakeRay

Specs = Callable[..., RunSpec]


class Told:
    """What a job hears, and when it is asked to stop."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.handles: list[str] = []
        self.stop = threading.Event()
        self.by_a_person = True

    def telling(self) -> Telling:
        return Telling(
            lambda _progress, text: self.texts.append(text),
            self.stop.is_set,
            lambda: self.by_a_person,
            self.handles.append,
        )

    def heard(self, part: str, within_s: float = 60) -> str:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            for text in list(self.texts):
                if part in text:
                    return text
            time.sleep(0.02)
        raise TimeoutError(self.texts)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def there(ray: FakeRay) -> RayRunner:
    return RayRunner(ray.url, TOKEN, {"python": sys.executable, "grace_s": 5})


def send(runner: Runner, spec: RunSpec, told: Told) -> dict[str, Any]:
    return Journey(runner, spec, "box", told.telling(), poll_s=0.05).go()


def in_background(runner: Runner, spec: RunSpec, told: Told) -> tuple[threading.Thread, list[Any]]:
    ends: list[Any] = []

    def drive() -> None:
        try:
            ends.append(send(runner, spec, told))
        except Exception as error:
            ends.append(error)

    thread = threading.Thread(target=drive, daemon=True)
    thread.start()
    return thread, ends


def steps(spec: RunSpec) -> list[int]:
    return [event["step"] for event in tail(spec.folder / "events.jsonl")[0]]


def began(spec: RunSpec) -> int:
    path = Path(spec.env["JOB_MARK"])
    return len(path.read_text().split()) if path.exists() else 0


def test_summary_adapter_events_and_log_come_home(
    there: RayRunner, spec: Specs, told: Told, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = spec(steps=3)
    assert send(there, asked, told)["steps"] == 3
    assert steps(asked) == [1, 2, 3]
    assert (asked.folder / "adapter" / "adapter_model.safetensors").stat().st_size == 65536
    assert told.handles[-1] == f"{asked.run_id}-a1"
    assert "Loading the trainer" in capfd.readouterr().out
    assert told.texts[-1] == "Step 3 of 3 on box"


def test_a_silent_cluster_makes_the_run_unknown_and_nothing_is_sent_again(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told
) -> None:
    asked = spec(steps=16, pause_s=0.1)
    thread, ends = in_background(there, asked, told)
    told.heard("Step ")
    ray.unwell = True
    text = told.heard("Unknown since")
    assert "HTTP 503" in text
    time.sleep(1)
    ray.unwell = False
    thread.join(60)
    assert ends[0]["steps"] == 16
    assert began(asked) == 1 and ray.requests.count("POST /api/jobs/") == 1


def test_silence_is_asked_about_less_and_less_often(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, waits = spec(), []

    def noted(self: Journey, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 12:
            told.by_a_person = False
            told.stop.set()

    monkeypatch.setattr(Journey, "_wait", noted)
    there.submit(asked, 1)
    Record("box", handle=f"{asked.run_id}-a1", submitted=True, began=time.time()).save(asked.folder)
    ray.unwell = True
    with pytest.raises(JobCancelled):
        send(there, asked, told)
    assert waits[:4] == [0.1, 0.2, 0.4, 0.8] and waits[-1] == journeys.LONGEST_POLL_S


def test_a_submission_whose_answer_was_lost_is_found_and_not_repeated(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told
) -> None:
    ray.drop_answers = 1
    asked = spec()
    assert send(there, asked, told)["steps"] == 3
    assert began(asked) == 1 and len(ray.jobs) == 1


def test_a_cluster_that_is_still_starting_is_tried_again(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told
) -> None:
    ray.starting = True
    threading.Timer(0.1, lambda: setattr(ray, "starting", False)).start()
    assert send(there, spec(), told)["steps"] == 3


def test_a_killed_driver_is_followed_by_one_that_takes_up_the_same_run(
    there: RayRunner, spec: Specs, told: Told
) -> None:
    asked = spec(steps=10, pause_s=0.1)
    told.by_a_person = False
    thread, ends = in_background(there, asked, told)
    told.heard("Step ")
    told.stop.set()
    thread.join(60)
    assert isinstance(ends[0], JobCancelled)
    again = Told()
    assert send(there, asked, again)["steps"] == 10
    assert again.handles == [] and began(asked) == 1
    assert steps(asked) == list(range(1, 11)), "no event twice, none lost"


def test_a_person_who_cancels_stops_it_there_and_the_next_try_is_another_attempt(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told
) -> None:
    asked = spec(steps=600, pause_s=0.1)
    thread, ends = in_background(there, asked, told)
    told.heard("Step ")
    told.stop.set()
    thread.join(60)
    assert ends == [{"stopped": True}]
    assert [job.status for job in ray.jobs.values()] == ["STOPPED"]
    (asked.folder / "how.json").write_text("{}")
    assert send(there, asked, Told())["steps"] == 3
    assert list(ray.jobs) == [f"{asked.run_id}-a1", f"{asked.run_id}-a2"]


def test_a_cancel_that_the_cluster_does_not_hear_leaves_the_run_to_be_taken_up(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = spec(steps=600, pause_s=0.1)
    thread, ends = in_background(there, asked, told)
    told.heard("Step ")
    ray.unwell = True
    told.stop.set()
    thread.join(60)
    assert isinstance(ends[0], JobCancelled)
    assert "may still be going on there" in capfd.readouterr().out
    assert Record.take_up(asked.folder, "box").attempt == 1


def test_a_run_that_fails_there_fails_as_what_it_was_and_a_retry_is_a_new_attempt(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told
) -> None:
    asked = spec(code=1)
    with pytest.raises(OutOfMemory, match="did not fit"):
        send(there, asked, told)
    (asked.folder / "how.json").write_text("{}")
    assert send(there, asked, told)["stopped"] is False
    assert len(ray.jobs) == 2
    assert not (asked.folder / "error.json").exists()


def test_a_cluster_that_restarted_and_forgot_the_run_makes_it_fail_not_start_again(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told
) -> None:
    asked = spec(steps=600, pause_s=0.1)
    thread, ends = in_background(there, asked, told)
    told.heard("Step ")
    ray.forget()
    thread.join(60)
    assert isinstance(ends[0], RunFailedThere) and "restarted" in ends[0].message
    assert ray.jobs == {}


def test_a_run_stopped_at_the_place_by_somebody_else_says_so(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told
) -> None:
    asked = spec(steps=600, pause_s=0.1)
    thread, ends = in_background(there, asked, told)
    told.heard("Step ")
    ray.stop(f"{asked.run_id}-a1")
    thread.join(60)
    assert "stopped on box, not from here" in ends[0].message


def test_a_run_that_never_gets_its_turn_is_given_up_with_the_reason(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told
) -> None:
    ray.hold = True
    asked = spec()
    patient = RunSpec(asked.run_id, asked.folder, asked.argv, asked.env, start_within_s=0.4)
    with pytest.raises(RunFailedThere, match="waiting for resources"):
        send(there, patient, told)
    told.heard("Waiting for its turn on box")


def test_a_job_that_gets_its_turn_after_it_was_given_up_does_not_train(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told
) -> None:
    ray.hold = True
    asked = spec()
    patient = RunSpec(asked.run_id, asked.folder, asked.argv, asked.env, start_within_s=0.6)
    with pytest.raises(RunFailedThere):
        send(there, patient, told)
    time.sleep(1)
    late = ray.jobs[f"{asked.run_id}-a1"]
    ray._start(late)
    assert late.process is not None and late.process.wait(60) == 75
    assert began(asked) == 0


def test_a_wrong_token_fails_at_once_with_the_fix(ray: FakeRay, spec: Specs, told: Told) -> None:
    with pytest.raises(Unavailable, match="refused the token"):
        send(RayRunner(ray.url, "wrong"), spec(), told)
    assert ray.jobs == {}


def test_results_too_large_for_a_log_ask_for_a_shared_folder(there: RayRunner, spec: Specs, told: Told) -> None:
    asked = spec(kilobytes=LARGEST_IN_LOG // 1024 + 1)
    with pytest.raises(RunFailedThere, match="shared folder"):
        send(there, asked, told)


def test_results_that_are_home_are_not_asked_for_again(there: RayRunner, ray: FakeRay, spec: Specs, told: Told) -> None:
    asked = spec()
    send(there, asked, told)
    ray.unwell = True
    assert send(there, asked, told)["steps"] == 3


def test_a_child_process_that_died_with_its_driver_is_started_again(spec: Specs, told: Told, tmp_path: Path) -> None:
    asked = spec(steps=600, pause_s=0.1)
    runner = ProcessRunner(tmp_path / "attempts")
    told.by_a_person = False
    thread, ends = in_background(runner, asked, told)
    told.heard("Step ")
    told.stop.set()
    thread.join(60)
    assert isinstance(ends[0], JobCancelled)
    (asked.folder / "how.json").write_text("{}")
    assert send(runner, asked, Told())["steps"] == 3
    assert sorted(runner.list_mine()) == [f"{asked.run_id}-a1", f"{asked.run_id}-a2"]


def when_ended(runner: Runner, handle: str, within_s: float = 60) -> RunState:
    deadline = time.monotonic() + within_s
    while not runner.status(handle).ended and time.monotonic() < deadline:
        time.sleep(0.05)
    return runner.status(handle)


def test_a_later_attempt_in_a_shared_folder_ends_the_earlier_one_and_takes_up_its_checkpoint(
    ray: FakeRay, spec: Specs, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    runner = RayRunner(ray.url, TOKEN, {"python": sys.executable, "folder": str(tmp_path / "shared")})
    asked = spec(steps=600, pause_s=0.1)
    first = runner.submit(asked, 1)
    while not began(asked):
        time.sleep(0.05)
    whole = tmp_path / "shared" / first / "checkpoints" / "checkpoint-4"
    half = tmp_path / "shared" / first / "checkpoints" / "checkpoint-8"
    for folder in (whole, half):
        folder.mkdir(parents=True)
    (whole / "trainer_state.json").write_text("{}")
    second = runner.submit(asked, 2)
    there = tmp_path / "shared" / second / "checkpoints"
    assert [path.name for path in there.iterdir()] == ["checkpoint-4"]
    assert when_ended(runner, first).exit_code == 75
    runner.cancel(second, 1)
    assert when_ended(runner, second).ended
    runner.forget(second)
    assert list((tmp_path / "shared").iterdir()) == []


def test_a_place_cannot_put_files_where_it_likes(
    there: RayRunner, ray: FakeRay, spec: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = spec()
    handle = there.submit(asked, 1)
    while not there.status(handle).ended:
        time.sleep(0.05)
    for name in ("../outside.json", "/etc/x.json", "recipe.yaml", "data/train.jsonl", "."):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as packed:
            packed.writestr(name, "x")
        lines = f"@@whetstone results {base64.b64encode(buffer.getvalue()).decode()}\n@@whetstone end {buffer.tell()}\n"
        ray.jobs[handle].log.write_text(lines)
        with pytest.raises(InvalidInput, match="does not belong"):
            there.collect(handle, asked.folder)


def test_what_a_place_sends_damaged_is_not_taken_for_results(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("summary.json", json.dumps({"x": list(range(500))}))
    torn = bytearray(buffer.getvalue())
    torn[60:90] = b"\xff" * 30
    for package in (b"no zip", bytes(torn)):
        with pytest.raises(Unavailable, match="damaged"):
            luggage.unpack_results(package, tmp_path)
    (tmp_path / "error.json").write_text('["not ours"]')
    assert journeys.told_by(tmp_path) is None


def test_a_folder_of_results_that_leads_elsewhere_is_left_there(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "keys.json").write_text("{}")
    (tmp_path / "there" / "adapter").symlink_to(tmp_path / "private")
    (tmp_path / "there" / "summary.json").write_text("{}")
    luggage.copy_results(tmp_path / "there", tmp_path / "home")
    assert [path.name for path in (tmp_path / "home").rglob("*")] == ["summary.json"]


def test_an_entrypoint_that_is_killed_is_told_by_the_cluster(
    there: RayRunner, ray: FakeRay, spec: Specs, told: Told
) -> None:
    asked = spec(steps=600, pause_s=0.1)
    thread, ends = in_background(there, asked, told)
    told.heard("Step ")
    process = ray.jobs[f"{asked.run_id}-a1"].process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    thread.join(60)
    assert "signal 9" in ends[0].message
    assert json.loads((asked.folder / "place.json").read_text())["ended"] == "failed"


def test_a_base_too_large_to_send_is_refused_with_the_fix(
    there: RayRunner, ray: FakeRay, spec: Specs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.train.runners.ray.LARGEST_PACKAGE", 10)
    with pytest.raises(InvalidInput, match="shared folder"):
        there.submit(spec(), 1)
    assert ray.jobs == {} and ray.packages == {}


def test_a_shared_folder_that_is_not_mounted_is_said(ray: FakeRay, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not there"):
        RayRunner(ray.url, TOKEN, {"folder": str(tmp_path / "mnt")})

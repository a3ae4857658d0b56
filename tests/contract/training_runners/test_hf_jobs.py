"""Hugging Face Jobs through their own library, against a server that speaks their API and really runs the job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.errors import InvalidInput, Unavailable
from studio.train.runners.hf_jobs import HfJobsRunner
from studio.train.runners.port import RunSpec, RunState
from tests.fakes.hub_jobs import TOKEN, FakeHub, fake_hub_jobs

Specs = Callable[..., RunSpec]
OPTIONS = {"flavor": "a10g-small", "confirmed": True}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with fake_hub_jobs(tmp_path) as found:
        yield found


@pytest.fixture
def there(hub: FakeHub) -> HfJobsRunner:
    return HfJobsRunner(hub.url, TOKEN, OPTIONS)


def ended(runner: HfJobsRunner, handle: str) -> RunState:
    deadline = time.monotonic() + 60
    while not runner.status(handle).ended and time.monotonic() < deadline:
        time.sleep(0.1)
    return runner.status(handle)


def test_files_travel_through_a_private_repository_and_results_come_home(
    there: HfJobsRunner, hub: FakeHub, spec: Specs, tmp_path: Path
) -> None:
    asked = spec()
    handle = there.submit(asked, 1)
    assert ended(there, handle) == RunState("succeeded", 0)
    there.collect(handle, tmp_path / "home")
    assert (tmp_path / "home" / "adapter" / "adapter_model.safetensors").stat().st_size == 65536
    assert [each["visibility"] for each in hub.repositories] == ["private"]
    assert sorted(hub.files) == [f"{asked.run_id}-a1/inputs.zip", f"{asked.run_id}-a1/results.zip"]
    log, offset = there.logs(handle, 0)
    assert b"Loading the trainer" in log and there.logs(handle, offset) == (b"", offset)
    assert list(there.list_mine()) == [handle]
    there.forget(handle)
    assert hub.files == {}


def test_the_token_goes_as_a_secret_and_versions_are_pinned(there: HfJobsRunner, hub: FakeHub, spec: Specs) -> None:
    there.submit(spec(), 1)
    body = next(iter(hub.jobs.values())).body
    assert body["secrets"] == {"HF_TOKEN": TOKEN} and TOKEN not in str(body["command"]) + str(body["environment"])
    pinned = [word for word in body["command"] if word.startswith(("trl==", "torch=="))]
    assert len(pinned) == 2 and not any("+" in word for word in pinned)


def test_a_job_whose_answer_was_lost_is_found_by_its_label(there: HfJobsRunner, hub: FakeHub, spec: Specs) -> None:
    hub.drop_answers = 1
    asked = spec()
    with pytest.raises(Unavailable):
        there.submit(asked, 1)
    assert there.submit(asked, 1) == there.submit(asked, 1)
    assert len(hub.jobs) == 1


def test_nothing_runs_before_the_cost_was_seen_and_confirmed(hub: FakeHub, spec: Specs) -> None:
    careful = HfJobsRunner(hub.url, TOKEN, {"flavor": "a10g-small"})
    assert careful.check() == "Signed in as acme. a10g-small costs $1.00 an hour."
    with pytest.raises(InvalidInput, match=r"costs money: a10g-small costs \$1.00 an hour"):
        careful.submit(spec(), 1)
    assert hub.jobs == {} and hub.files == {}
    with pytest.raises(InvalidInput, match="no hardware 'h900'"):
        HfJobsRunner(hub.url, TOKEN, {"flavor": "h900"}).check()


def test_rows_are_not_sent_to_a_public_repository(there: HfJobsRunner, hub: FakeHub, spec: Specs) -> None:
    hub.is_public = True
    with pytest.raises(InvalidInput, match="is public"):
        there.submit(spec(), 1)
    assert hub.jobs == {} and hub.files == {}


def test_a_job_is_cancelled(there: HfJobsRunner, spec: Specs) -> None:
    handle = there.submit(spec(steps=600, pause_s=0.1), 1)
    there.cancel(handle, 5)
    assert ended(there, handle).state == "cancelled"


def test_what_is_wrong_is_said(hub: FakeHub, spec: Specs) -> None:
    with pytest.raises(InvalidInput, match="need a token"):
        HfJobsRunner(hub.url, "")
    with pytest.raises(Unavailable, match="refused the token"):
        HfJobsRunner(hub.url, "hf_wrong").check()
    assert HfJobsRunner(hub.url, TOKEN, {"namespace": "acme"}).status("f" * 24).state == "lost"
    silent = HfJobsRunner("http://127.0.0.1:9", TOKEN, {"namespace": "acme"})
    assert silent.status("f" * 24).state == "unknown"
    hub.broke = True
    with pytest.raises(InvalidInput, match="credit"):
        HfJobsRunner(hub.url, TOKEN, OPTIONS).submit(spec(), 1)

"""The real worker process, `python -m studio.worker`: light, clean to stop, and honest about what is wrong."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from studio.errors import Unavailable
from studio.worker import Due, Periodic
from tests.integration.jobs.conftest import Host


@pytest.mark.slow
def test_it_runs_jobs_imports_no_torch_and_leaves_cleanly(host: Host) -> None:
    host.start_worker("studio.worker")
    assert host.jobs.wait(host.put(n=5).id, 60).result["steps"] == 5
    time.sleep(2.5)  # past the first look at deployments
    assert host.worker is not None
    mapped = Path(f"/proc/{host.worker.pid}/maps").read_text()
    assert "libtorch" not in mapped and "sqlite" in mapped
    job = host.put(n=10_000)
    host.starts(job)
    assert host.stop_worker() == 0
    assert host.jobs.get(job.id).status == "queued" and host.processes() == {}
    assert "Traceback" not in host.log.read_text()


def test_a_service_that_does_not_answer_is_logged_once_and_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    stop, calls = threading.Event(), []

    def ask() -> None:
        calls.append(1)
        if len(calls) == 5:
            stop.set()
        raise Unavailable("Argilla does not answer.")

    asking = Periodic("labels", 0.01, ask, stop)
    asking.start()
    asking.join(60)
    assert len(calls) == 5 and asking.bug is None
    assert caplog.messages == ["labels: Argilla does not answer."]


def test_labels_are_due_once_per_hint_and_once_per_interval(tmp_path: Path) -> None:
    hint = tmp_path / "hint"
    often, seldom = Due(hint, 0.0), Due(hint, 60.0)
    assert [often(), often()] == [True, True] and not seldom()
    hint.touch()
    assert [seldom(), seldom()] == [True, False]


def test_a_bug_ends_the_worker_loudly() -> None:
    stop = threading.Event()
    failing = Periodic("deployments", 0.01, lambda: 1 // 0, stop)
    failing.start()
    failing.join(60)
    assert stop.is_set() and isinstance(failing.bug, ZeroDivisionError)

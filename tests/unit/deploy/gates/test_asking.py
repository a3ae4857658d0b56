"""Many questions at once: in order, told as they come, stopped when somebody asks, patient with a busy server."""

import threading

import pytest

from studio.deploy.client import ServerBusy
from studio.deploy.gates import asking
from studio.deploy.gates.asking import ask_all
from studio.errors import Unavailable
from studio.jobs.context import JobCancelled


def test_answers_come_back_in_order_and_progress_reaches_the_end() -> None:
    told: list[float] = []
    assert ask_all(range(20), lambda number: number * 2, told.append) == [number * 2 for number in range(20)]
    assert told[-1] == 1.0 and len(told) == 20
    assert ask_all([], lambda number: number, told.append) == []


def test_a_cancel_ends_it_before_everything_was_asked() -> None:
    asked, gate = [], threading.Event()

    def ask(number: int) -> int:
        asked.append(number)
        if number > 0:
            gate.wait(60)
        return number

    def cancelled(_share: float) -> None:
        gate.set()
        raise JobCancelled

    with pytest.raises(JobCancelled):
        ask_all(range(500), ask, cancelled)
    assert len(asked) < 500


def test_a_failure_is_told_and_ends_it() -> None:
    def ask(number: int) -> int:
        raise Unavailable(f"no answer to {number}")

    with pytest.raises(Unavailable, match="no answer"):
        ask_all(range(9), ask, lambda _share: None)


def test_a_busy_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "PAUSE_S", 0.0)
    tries: list[int] = []

    def ask(number: int) -> int:
        tries.append(number)
        if len(tries) < 3:
            raise ServerBusy
        return number

    assert ask_all([7], ask, lambda _share: None) == [7] and len(tries) == 3
    with pytest.raises(ServerBusy):
        ask_all([7], lambda _number: _busy(), lambda _share: None)


def _busy() -> int:
    raise ServerBusy

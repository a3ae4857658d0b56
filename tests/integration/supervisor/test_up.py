"""`studio up` on two tiny children: restarts what ends, stops it all, refuses what cannot work."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from studio.jobs import processes

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[3]


class Studio:
    """A supervisor in a process of its own, and what can be seen of it from outside."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port, self.log = home, port, home / "up.txt"
        self.process: subprocess.Popen[bytes] | None = None
        home.mkdir(parents=True)

    def start(self, stubborn: bool = False) -> subprocess.Popen[bytes]:
        ours = {"STUDIO_HOME": str(self.home), "STUDIO_WEB_PORT": str(self.port), "PYTHONPATH": str(REPOSITORY)}
        env = {**os.environ, **ours}
        argv = [sys.executable, "-m", "tests.fakes.tiny_studio", *(["stubborn"] if stubborn else [])]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, cwd="/", start_new_session=True)
        return self.process

    def text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def shows(self, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + 90
        while self.text().count(text) < times:
            assert time.monotonic() < deadline, f"{text!r} not {times} times in:\n{self.text()}"
            time.sleep(0.05)

    def ended(self) -> int:
        assert self.process is not None
        return self.process.wait(90)

    def children(self) -> list[int]:
        return processes.with_cookie("STUDIO_HOME", str(self.home))

    def child(self, holding: str) -> int:
        return next(pid for pid in self.children() if holding in processes.command_line(pid))


@pytest.fixture
def studio(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Studio]:
    made = Studio(tmp_path / "home", free_port())
    yield made
    for pid in made.children():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_it_says_when_everything_is_up_and_gives_the_link_once(studio: Studio) -> None:
    studio.start()
    studio.shows("Everything is up")
    studio.shows(f"http://127.0.0.1:{studio.port}")
    studio.shows("the one-time link")
    assert re.search(r"web │ serving", studio.text()) and re.search(r"ticker │ ticking", studio.text())
    assert studio.process is not None
    studio.process.send_signal(signal.SIGINT)
    studio.ended()
    assert studio.text().count("the one-time link") == 1


def test_a_killed_child_is_started_again(studio: Studio) -> None:
    studio.start()
    studio.shows("serving")
    before = studio.child("tiny_child.py web")
    os.kill(before, signal.SIGKILL)
    studio.shows("web ended (signal 9); starting it again in 0.5 s")
    studio.shows("serving", times=2)
    assert studio.child("tiny_child.py web") != before


def test_a_child_that_keeps_failing_is_started_less_and_less_often(studio: Studio) -> None:
    studio.start()
    for wait in ("0.5", "1", "2"):
        studio.shows("ticking", times={"0.5": 1, "1": 2, "2": 3}[wait])
        os.kill(studio.child("tiny_child.py ticker"), signal.SIGKILL)
        studio.shows(f"ticker ended (signal 9); starting it again in {wait} s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_nothing_running(studio: Studio, number: signal.Signals) -> None:
    process = studio.start()
    studio.shows("Everything is up")
    assert len(studio.children()) == 4  # the supervisor, its two children, and one that slipped into its own session
    process.send_signal(number)
    assert studio.ended() == 0 and studio.children() == []


def test_a_second_ctrl_c_does_not_wait_for_a_stubborn_child(studio: Studio) -> None:
    process = studio.start(stubborn=True)
    studio.shows("Everything is up")
    process.send_signal(signal.SIGINT)
    studio.shows("stopping")
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    assert studio.ended() == 0 and studio.children() == []
    assert time.monotonic() - asked < 28


def test_children_stop_when_the_supervisor_is_killed(studio: Studio) -> None:
    process = studio.start()
    studio.shows("Everything is up")
    process.kill()
    studio.ended()
    deadline = time.monotonic() + 60
    while any("sleep" not in processes.command_line(pid) for pid in studio.children()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_taken_port_is_named_with_its_holder_and_its_setting(studio: Studio) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", studio.port))
        taken.listen()
        studio.start()
        assert studio.ended() == 1
    said = studio.text()
    assert f"Port {studio.port} (web) is taken by" in said and f"(process {os.getpid()})" in said
    assert "STUDIO_WEB_PORT" in said and "serving" not in said and "Nothing was started" in said


def test_a_second_studio_on_the_same_folder_says_that_it_runs(studio: Studio) -> None:
    first = studio.start()
    studio.shows("Everything is up")
    second = studio.start()
    assert second.wait(90) == 1
    assert f"already running on {studio.home} (process {first.pid})" in studio.text()
    assert first.poll() is None
    studio.process = first

"""One run at one place: hand it over, follow it, stop it when asked, bring home what it made."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import StorageFull, StudioError, Unavailable
from studio.jobs.context import JobCancelled
from studio.train import recipe as recipes
from studio.train.failures.errors import Diverged, OutOfMemory
from studio.train.runners.follow import taken_apart
from studio.train.runners.port import ERROR, SUMMARY, Runner, RunSpec, RunState, handle_of
from studio.train.runners.record import Record

POLL_S, LONGEST_POLL_S, SLICE_S = 2.0, 60.0, 0.2
LOG_BYTES_PER_S = 500_000
TRIES, GRACE_S, STOP_WITHIN_S = 4, 12.0, 15.0
BEGUN = 0.04
WAITING = ("queued", "starting")


class RunFailedThere(Unavailable):
    """The run failed at the place that carried it out."""


@dataclass(frozen=True)
class Telling:
    """How a journey talks to its job."""

    report: Callable[[float, str], None]
    stop_asked: Callable[[], bool]
    by_a_person: Callable[[], bool]
    """Whether the stop is somebody's wish. Else only this process ends, and the run goes on there."""
    remember: Callable[[str], None]
    """Keep the handle in the run's row."""


def told_by(folder: Path) -> StudioError | None:
    """The error that the run left in error.json, as what it was where the studio knows it."""
    known = {each.__name__: each for each in (OutOfMemory, Diverged, StorageFull)}
    try:
        told = json.loads((folder / ERROR).read_bytes())
        return known.get(str(told["type"]), RunFailedThere)(str(told["error"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # it left none, or not one of ours
        return None


class Journey:
    """Drives a Runner. May be killed at any line: the next driver takes up the same attempt."""

    def __init__(self, runner: Runner, spec: RunSpec, place: str, telling: Telling, poll_s: float = POLL_S) -> None:
        self.runner, self.spec, self.place, self.telling, self.poll_s = runner, spec, place, telling, poll_s
        self.folder = spec.folder
        self.record = Record.take_up(self.folder, place)
        self._offset, self._unknown_since, self._progress, self._copy_after = 0, 0.0, BEGUN, 0.0

    def go(self) -> dict[str, Any]:
        """The run's summary. Raises RunFailedThere, JobCancelled when only this process must end."""
        if not self.record.home:
            self._hand_over()
            state = self._follow()
            if state is None:
                return {"stopped": True}
            self._judge(state)
            self._bring_home()
        summary: dict[str, Any] = json.loads((self.folder / SUMMARY).read_text())
        return {"stopped": False} | summary

    def _hand_over(self) -> None:
        """Name the attempt on disk and in the row first; then submit, which may be repeated."""
        if self.record.submitted and not self._died_with_its_driver():
            self._begin_events()
            return
        record = self.record
        record.handle = handle_of(self.spec.run_id, record.attempt)
        (self.folder / ERROR).unlink(missing_ok=True)
        record.save(self.folder)
        self.telling.remember(record.handle)
        self._begin_events()
        self.telling.report(BEGUN, f"Handing the run over to {self.place}")
        record.handle = self._submitted()
        record.submitted = True
        record.save(self.folder)
        self.telling.remember(record.handle)

    def _died_with_its_driver(self) -> bool:
        """A child process ends with the job that started it, which is no verdict: the run gets another attempt."""
        if not self.runner.in_place or self.runner.status(self.record.handle).state not in ("lost", "cancelled"):
            return False
        self._close("interrupted")
        self.record = Record.take_up(self.folder, self.place)
        return True

    def _submitted(self) -> str:
        for left in reversed(range(TRIES)):
            try:
                return self.runner.submit(self.spec, self.record.attempt)
            except Unavailable:
                if not left:
                    raise
                self._wait(self.poll_s)
        raise AssertionError("a loop that returns or raises")

    def _begin_events(self) -> None:
        """Drop what an earlier driver copied of this attempt: its log is read from the beginning again."""
        path = self.folder / recipes.EVENTS
        if not self.runner.in_place and path.exists() and path.stat().st_size > self.record.events_at:
            os.truncate(path, self.record.events_at)

    def _follow(self) -> RunState | None:
        """Poll until it ended; None when a person stopped it. Nobody answering is waited out, never judged."""
        delay = self.poll_s
        while True:
            state = self.runner.status(self.record.handle)
            unknown = state.state == "unknown"
            self._tell(state)
            if not unknown:
                self._copy(state.ended)
            if state.ended:
                return state
            if self.telling.stop_asked():
                self._stop()
                return None
            self._give_up_waiting(state)
            delay = min(delay * 2, LONGEST_POLL_S) if unknown else self.poll_s
            self._wait(max(delay, state.wait_s or 0))

    def _tell(self, state: RunState) -> None:
        if state.state == "unknown":
            self._unknown_since = self._unknown_since or time.time()
            since = time.strftime("%H:%M", time.localtime(self._unknown_since))
            self.telling.report(self._progress, f"Unknown since {since}: {state.reason} Asking again.")
            return
        self._unknown_since = 0.0
        if state.state in WAITING:
            self.telling.report(BEGUN, f"Waiting for its turn on {self.place}. {state.reason}".strip())
        elif state.progress is not None:
            self._progress = 0.05 + 0.88 * state.progress
            self.telling.report(self._progress, f"Training on {self.place}")
        elif self._progress == BEGUN:
            self.telling.report(BEGUN, f"Loading the trainer on {self.place}")

    def _copy(self, ended: bool) -> None:
        """Bring what was printed since: lines into this job's log, events into the run's.

        Some places always send the whole log, so a long one is asked for less often.
        """
        if not ended and time.monotonic() < self._copy_after:
            return
        try:
            block, _after = self.runner.logs(self.record.handle, self._offset)
        except Unavailable:
            return
        found = taken_apart(block, ended)
        self._offset += found.taken
        self._copy_after = time.monotonic() + self._offset / LOG_BYTES_PER_S
        for line in found.lines:
            print(line, flush=True)
        if not found.events:
            return
        if not self.runner.in_place:
            with (self.folder / recipes.EVENTS).open("ab") as stream:
                stream.write(b"\n".join(found.events) + b"\n")
        self._tell_step(found.events[-1])

    def _tell_step(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            step, steps = int(event["step"]), int(event["max_steps"])
        except (ValueError, KeyError, TypeError):
            return
        self._progress = 0.05 + 0.88 * step / max(steps, 1)
        self.telling.report(self._progress, f"Step {step} of {steps} on {self.place}")

    def _stop(self) -> None:
        """Cancel there if a person wants it; a worker that merely restarts leaves the run and takes it up again."""
        wanted = self.telling.by_a_person()
        if not wanted and not self.runner.in_place:
            raise JobCancelled()
        self.telling.report(self._progress, f"Asking {self.place} to stop the run")
        try:
            self.runner.cancel(self.record.handle, GRACE_S)
        except Unavailable as error:
            print(f"{error.message} The run may still be going on there.", flush=True)
            raise JobCancelled() from error
        deadline = time.monotonic() + STOP_WITHIN_S
        while not self.runner.status(self.record.handle).ended and time.monotonic() < deadline:
            time.sleep(SLICE_S)
        self._copy(ended=True)
        self._close("cancelled")
        if not wanted:
            raise JobCancelled()

    def _give_up_waiting(self, state: RunState) -> None:
        limit = self.spec.start_within_s
        if state.state not in WAITING or not limit or time.time() - self.record.began < limit:
            return
        self.runner.cancel(self.record.handle, 0)
        self._close("cancelled")
        why = f" It said: {state.reason}" if state.reason else ""
        raise RunFailedThere(
            f"{self.place} did not start the run within {round(limit / 60)} minutes, so it was given up.{why} "
            "Free or add what it asks for there, or choose another place, then train again."
        )

    def _judge(self, state: RunState) -> None:
        """Raise unless it succeeded: what the run itself said, or what is known from outside."""
        if state.state == "succeeded":
            return
        self._close(state.state)
        if state.state == "cancelled":
            raise RunFailedThere(f"The run was stopped on {self.place}, not from here. {state.reason} Train again.")
        with suppress(StudioError):  # the verdict stands without what the run says about itself
            self.runner.collect(self.record.handle, self.folder)
        raise told_by(self.folder) or RunFailedThere(
            f"The run failed on {self.place}. {state.reason} What it printed is in the log."
        )

    def _bring_home(self) -> None:
        delay = self.poll_s
        while True:
            try:
                self.runner.collect(self.record.handle, self.folder)
                break
            except Unavailable as error:
                self.telling.report(0.93, f"{error.message} The run is done there; asking for its results again.")
                if self.telling.stop_asked():
                    raise JobCancelled() from error
                delay = min(delay * 2, LONGEST_POLL_S)
                self._wait(delay)
        if not (self.folder / SUMMARY).exists():
            raise RunFailedThere(f"{self.place} says that the run is done, but it left no summary. Train again.")
        self.record.home = True
        self.record.save(self.folder)
        with suppress(StudioError):  # what stays there is in nobody's way
            self.runner.forget(self.record.handle)

    def _close(self, how: str) -> None:
        self.record.ended = how
        self.record.save(self.folder)

    def _wait(self, seconds: float) -> None:
        """Sleep, but notice a stop."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.telling.stop_asked():
            time.sleep(min(SLICE_S, seconds))

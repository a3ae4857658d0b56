"""Folders of a run: `runs/<job>/` holds the lock, `work/` that survives attempts, and `a<attempt>/` per attempt."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.artifacts import write_atomically
from studio.jobs.locks import take_lock

RECORDS = ("launch.json", "proc.json", "exit.json", "error.json", "stopped")


@dataclass(frozen=True)
class RunFolder:
    """Where one job's attempts live. The lock is held while anything of the run is alive."""

    path: Path

    @classmethod
    def of(cls, runs: Path, job_id: str) -> RunFolder:
        """The folder of this job under `settings.runs`."""
        return cls(runs / job_id)

    @property
    def work(self) -> Path:
        """The handler's own folder; a resumed attempt finds what the last one left."""
        return self.path / "work"

    def attempt(self, number: int) -> Path:
        """The folder of one attempt: log.txt, proc.json, exit.json, error.json, launch.json."""
        return self.path / f"a{number}"

    def prepare(self, attempt: int) -> None:
        """Make the folders for an attempt, empty of records (a restored database may count attempts again)."""
        self.work.mkdir(parents=True, exist_ok=True)
        self.attempt(attempt).mkdir(exist_ok=True)
        for name in RECORDS:
            (self.attempt(attempt) / name).unlink(missing_ok=True)

    def take_lock(self) -> int | None:
        """The lock as an open descriptor to hand to the shim, or None while something of the run is alive."""
        return take_lock(self.path / "lock")

    def is_alive(self) -> bool:
        """Whether something of the run holds its lock."""
        lock = self.path / "lock"
        descriptor = take_lock(lock) if lock.exists() else -1
        if descriptor is not None and descriptor >= 0:
            os.close(descriptor)
        return descriptor is None

    def process(self, attempt: int) -> dict[str, Any] | None:
        """What the shim recorded about the processes, once it has."""
        return read_json(self.attempt(attempt) / "proc.json")

    def exit(self, attempt: int) -> dict[str, Any] | None:
        """How the attempt ended: {"code", "at"}; None while it runs or when its shim was killed."""
        return read_json(self.attempt(attempt) / "exit.json")

    def error(self, attempt: int) -> str | None:
        """The sentence the attempt left for the user."""
        found = read_json(self.attempt(attempt) / "error.json")
        return str(found["error"]) if found else None

    def write_error(self, attempt: int, sentence: str) -> None:
        """Leave a sentence for the user."""
        write_atomically(self.attempt(attempt) / "error.json", json.dumps({"error": sentence}).encode())

    def mark_stopped(self, attempt: int) -> None:
        """Remember that the worker stopped this attempt for reasons of its own."""
        (self.attempt(attempt) / "stopped").touch()

    def was_stopped(self, attempt: int) -> bool:
        """Whether the worker stopped this attempt, so that however it ended is not its failure."""
        return (self.attempt(attempt) / "stopped").exists()

    def result(self) -> dict[str, Any] | None:
        """What the handler returned; once it is there the job is done, whatever happens after."""
        return read_json(self.work / "result.json")

    def write_result(self, result: dict[str, Any]) -> None:
        """Make the job done."""
        write_atomically(self.work / "result.json", json.dumps(result, default=str).encode())

    def gpus(self, attempt: int) -> set[int]:
        """The GPUs given to this attempt."""
        return set((read_json(self.attempt(attempt) / "launch.json") or {}).get("gpus", []))

    def write_gpus(self, attempt: int, gpus: list[int]) -> None:
        """Remember which GPUs the attempt holds, for the next worker."""
        write_atomically(self.attempt(attempt) / "launch.json", json.dumps({"gpus": gpus}).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """The file's object, or None when it is not there."""
    with suppress(FileNotFoundError):
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    return None


def log_tail(runs: Path, job_id: str, attempt: int, limit: int = 20_000) -> str:
    """The end of an attempt's log, "" before it has one."""
    path = RunFolder.of(runs, job_id).attempt(attempt) / "log.txt"
    with suppress(FileNotFoundError), path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - limit, 0))
        return stream.read().decode(errors="replace")
    return ""

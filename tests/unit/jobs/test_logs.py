"""Logs within bounds, and whole for who asks."""

from __future__ import annotations

import os
from pathlib import Path

from studio.jobs.folders import RunFolder
from studio.jobs.logs import keep_within_bounds, whole_log


def test_a_log_that_grew_too_long_starts_anew_and_its_writer_goes_on(tmp_path: Path) -> None:
    run = RunFolder.of(tmp_path, "j")
    run.prepare(1)
    path = run.attempt(1) / "log.txt"
    with path.open("ab", buffering=0) as writer:  # appends, as a job does
        writer.write(b"early\n" * 20)
        assert not keep_within_bounds(run.attempt(1), limit=1000)
        assert keep_within_bounds(run.attempt(1), limit=100) and path.stat().st_size == 0
        writer.write(b"late\n")
    log = whole_log(tmp_path, "j")
    assert log.startswith(b"=== attempt 1 ===\n(the log was longer") and log.endswith(b"early\nlate\n")


def test_the_middle_of_an_endless_log_is_let_go(tmp_path: Path) -> None:
    run = RunFolder.of(tmp_path, "j")
    run.prepare(1)
    for part in (b"first", b"second", b"third"):
        with (run.attempt(1) / "log.txt").open("ab") as log:
            log.write(part * 100)
        keep_within_bounds(run.attempt(1), limit=400)
    assert sum(path.stat().st_size for path in run.attempt(1).iterdir()) < 1500
    assert b"first" not in whole_log(tmp_path, "j") and b"third" in whole_log(tmp_path, "j")


def test_attempts_are_told_in_their_order(tmp_path: Path) -> None:
    run = RunFolder.of(tmp_path, "j")
    for attempt in (1, 2, 10):
        run.prepare(attempt)
        (run.attempt(attempt) / "log.txt").write_text(f"of {attempt}")
    os.makedirs(run.path / "also not an attempt")
    assert [line for line in whole_log(tmp_path, "j").split(b"\n") if line.startswith(b"of")] == [
        b"of 1",
        b"of 2",
        b"of 10",
    ]
    assert whole_log(tmp_path, "no such job") == b""

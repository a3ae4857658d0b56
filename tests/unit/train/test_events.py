from __future__ import annotations

from pathlib import Path

from studio.train.events import EventLog, in_force, series, tail, tokens_until


def test_a_tail_reads_only_what_is_new_and_only_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.emit("log", step=1, loss=2.0)
    first, offset = tail(path)
    with path.open("a") as stream:
        stream.write('{"kind": "log", "st')
    assert [event["step"] for event in first] == [1]
    assert tail(path, offset) == ([], offset)


def test_a_line_torn_by_a_kill_is_skipped_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"kind": "log", "step": 1}\n{"kind": "lo')
    EventLog(path).emit("log", step=2)
    assert [event["step"] for event in tail(path)[0]] == [1, 2]


def test_a_file_that_shrank_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).emit("log", step=1)
    assert len(tail(path, 10_000)[0]) == 1


def test_a_missing_file_has_no_events(tmp_path: Path) -> None:
    assert tail(tmp_path / "none.jsonl") == ([], 0)


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).emit("log", step=1, loss=float("nan"))
    assert tail(path)[0][0]["loss"] is None


RESUMED = [
    {"kind": "train_begin", "resumed_at": 0},
    {"kind": "log", "step": 1, "loss": 3.0, "num_tokens": 10},
    {"kind": "log", "step": 2, "loss": 2.0, "num_tokens": 20},
    {"kind": "log", "step": 3, "loss": 9.0, "num_tokens": 30},
    {"kind": "train_begin", "resumed_at": 2},
    {"kind": "log", "step": 3, "loss": 1.5, "num_tokens": 31},
]


def test_steps_undone_by_a_resume_are_not_drawn_twice() -> None:
    assert series(RESUMED, "loss") == [(1, 3.0), (2, 2.0), (3, 1.5)]
    assert len(in_force(RESUMED)) == 5


def test_tokens_are_counted_up_to_the_step() -> None:
    assert (tokens_until(RESUMED, 2), tokens_until(RESUMED, 3), tokens_until([], 5)) == (20, 31, 0)

"""A run's live events: one JSON object per line, appended by the training process and tailed by the page."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any


class EventLog:
    """Appends events; each line is written whole, so a reader never sees half an event for long.

    Of the processes of one run only the first writes.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self._is_first = path, os.environ.get("RANK", "0") == "0"
        self._stream = path.open("a", buffering=1, encoding="utf-8")
        self._end_a_torn_line()

    def emit(self, kind: str, **facts: Any) -> None:
        """Append one event. Numbers that JSON cannot hold (nan, infinity) become null."""
        if not self._is_first:
            return
        event = {"at": round(time.time(), 3), "kind": kind} | {name: _plain(value) for name, value in facts.items()}
        self._stream.write(json.dumps(event) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _end_a_torn_line(self) -> None:
        """A killed process may have left half a line; what follows must not be glued to it."""
        with self.path.open("rb") as reader:
            if self._is_first and reader.seek(0, 2) and (reader.seek(-1, 2), reader.read(1))[1] != b"\n":
                self._stream.write("\n")


def tail(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The whole events after byte `offset`, and the offset to ask from next time."""
    if not path.exists():
        return [], 0
    with path.open("rb") as reader:
        size = reader.seek(0, 2)
        offset = offset if offset <= size else 0
        reader.seek(offset)
        block = reader.read()
    whole = block[: block.rfind(b"\n") + 1]
    return [event for line in whole.splitlines() if (event := _parsed(line)) is not None], offset + len(whole)


def in_force(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events without those that a resume undid: steps after the checkpoint it went on from.

    A run that began again from nothing told its first evaluation twice; the earlier one is undone too.
    """
    kept: list[dict[str, Any]] = []
    for event in events:
        if event["kind"] == "train_begin":
            last = event["resumed_at"] or -1
            kept = [old for old in kept if old.get("step", -1) <= last]
        kept.append(event)
    return kept


def series(events: list[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """(step, value) pairs of one logged number, undone steps left out."""
    return [
        (event["step"], event[name])
        for event in in_force(events)
        if event["kind"] in ("log", "eval") and event.get(name) is not None
    ]


def tokens_at(events: list[dict[str, Any]], step: int) -> int:
    """Tokens trained on up to a checkpoint, as it told itself."""
    told = [e.get("num_tokens") for e in in_force(events) if e["kind"] == "checkpoint" and e["step"] == step]
    numbers = [int(each) for each in told if each is not None]
    return numbers[-1] if numbers else tokens_until(events, step)


def tokens_until(events: list[dict[str, Any]], step: int) -> int:
    """Tokens trained on up to a step, as far as they were logged."""
    return max((int(total) for at, total in series(events, "num_tokens") if at <= step), default=0)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:  # a line torn by a kill
        return None
    return event if isinstance(event, dict) and "kind" in event else None

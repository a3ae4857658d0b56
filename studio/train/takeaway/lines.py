"""Rows on their way into a bundle, a line at a time: read from the run's files, written in a tool's own shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from studio.train.takeaway.port import BundleInput, Content

Line = dict[str, Any]
Shape = Callable[[Line], Line | None]
"""A row as the tool reads it, or None for one that it cannot."""
GATHER = 1 << 16


def read(path: Path) -> Iterator[Line]:
    """The rows of a file; none when it is not there."""
    if path.exists():
        with path.open(encoding="utf-8") as stream:
            yield from (json.loads(line) for line in stream)


def shaped(path: Path, shape: Shape) -> Content:
    """The file in another shape, made when it is asked for."""

    def pieces() -> Iterable[bytes]:
        waiting = bytearray()
        for line in read(path):
            if (row := shape(line)) is not None:
                waiting += json.dumps(row, ensure_ascii=False).encode() + b"\n"
            if len(waiting) > GATHER:
                yield bytes(waiting)
                waiting.clear()
        yield bytes(waiting)

    return pieces


def copied(path: Path) -> Content:
    """The file as it is."""

    def pieces() -> Iterable[bytes]:
        with path.open("rb") as stream:
            while piece := stream.read(GATHER):
                yield piece

    return pieces


def lost(given: BundleInput, shape: Shape) -> int:
    """How many training rows the tool cannot read."""
    return sum(shape(line) is None for line in read(given.data / "train.jsonl"))


def rows_of(given: BundleInput) -> int:
    """How many rows there are to train on."""
    return sum(1 for _line in read(given.data / "train.jsonl"))


def uses_tools(line: Line) -> bool:
    """Whether a row has tools, calls or results."""
    said = [*line.get("prompt", ()), *line.get("completion", ()), *line.get("chosen", ()), *line.get("rejected", ())]
    return bool(line.get("tools")) or any(each.get("tool_calls") or each.get("role") == "tool" for each in said)


def in_turn(messages: list[Line]) -> bool:
    """Whether, a first system message aside, user and assistant speak in turn and the user begins."""
    rest = messages[1:] if messages and messages[0]["role"] == "system" else messages
    wanted = ("user", "assistant")
    return bool(rest) and all(message["role"] == wanted[place % 2] for place, message in enumerate(rest))

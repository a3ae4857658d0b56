"""TRL's prompt and completion JSONL: loss on the answer only, without further settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

from studio.curate.exporters import write_lines
from studio.curate.snapshot import Row


class TrlJsonl:
    """Conversational prompt and completion columns."""

    label = "TRL prompt and completion JSONL"
    suffix = ".trl.jsonl"

    def write(self, rows: Iterable[Row], target: BinaryIO) -> int:
        """Write one line per row."""
        return write_lines(map(_line, rows), target)


def _line(row: Row) -> dict[str, Any]:
    return {"prompt": row.messages, "completion": [row.answer], **({"tools": row.tools} if row.tools else {})}

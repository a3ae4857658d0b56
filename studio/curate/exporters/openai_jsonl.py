"""OpenAI fine-tuning JSONL: {"messages": [...], "tools": [...]}; also read by Together, Fireworks and most trainers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

from studio.curate.exporters import write_lines
from studio.curate.snapshot import Row


class OpenAIJsonl:
    """One conversation per line, the answer last."""

    label = "OpenAI fine-tuning JSONL"
    suffix = ".openai.jsonl"

    def write(self, rows: Iterable[Row], target: BinaryIO) -> int:
        """Write one line per row."""
        return write_lines(map(_line, rows), target)


def _line(row: Row) -> dict[str, Any]:
    return {"messages": row.conversation, **({"tools": row.tools} if row.tools else {})}

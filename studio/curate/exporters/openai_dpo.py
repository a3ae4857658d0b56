"""OpenAI preference JSONL: the corrected answer preferred over what the model had said; only corrected rows qualify."""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from studio.curate.exporters import write_lines
from studio.curate.outputs import assistant_message
from studio.curate.snapshot import Row


class OpenAIPreferences:
    """Preference pairs for DPO."""

    label = "OpenAI preference JSONL (corrected answers)"
    suffix = ".dpo.jsonl"

    def write(self, rows: Iterable[Row], target: BinaryIO) -> int:
        """Write one line per row whose answer people changed."""
        changed = (row for row in rows if row.original_output.strip() and row.original_output != row.output)
        return write_lines(map(_pair, changed), target)


def _pair(row: Row) -> dict[str, object]:
    return {
        "input": {"messages": row.messages, **({"tools": row.tools} if row.tools else {})},
        "preferred_output": [row.answer],
        "non_preferred_output": [assistant_message(row.original_output)],
    }

"""OpenAI preference JSONL: one answer preferred over another, by ranking, review or correction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

from studio.curate.exporters import write_lines
from studio.curate.pairs import Pair


class OpenAIPreferences:
    """Preference pairs for DPO."""

    label = "OpenAI preference JSONL (DPO)"
    suffix = ".openai-dpo.jsonl"

    def write_pairs(self, pairs: Iterable[Pair], target: BinaryIO) -> int:
        """Write one line per pair."""
        return write_lines(map(_line, pairs), target)


def _line(pair: Pair) -> dict[str, Any]:
    return {
        "input": {"messages": pair.messages, **({"tools": pair.tools} if pair.tools else {})},
        "preferred_output": [pair.chosen_answer],
        "non_preferred_output": [pair.rejected_answer],
    }

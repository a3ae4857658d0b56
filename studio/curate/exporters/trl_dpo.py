"""TRL's preference JSONL for DPO: prompt, chosen and rejected as lists of messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

from studio.curate.exporters import write_lines
from studio.curate.pairs import Pair


class TrlPreferences:
    """Preference pairs with an explicit prompt."""

    label = "TRL preference JSONL (DPO)"
    suffix = ".dpo.jsonl"

    def write_pairs(self, pairs: Iterable[Pair], target: BinaryIO) -> int:
        """Write one line per pair."""
        return write_lines(map(_line, pairs), target)


def _line(pair: Pair) -> dict[str, Any]:
    return {
        "prompt": pair.messages,
        "chosen": [pair.chosen_answer],
        "rejected": [pair.rejected_answer],
        **({"tools": pair.tools} if pair.tools else {}),
    }

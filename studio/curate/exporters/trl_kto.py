"""TRL's unpaired preference JSONL for KTO: a prompt, an answer, and whether people want such answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

from studio.curate.exporters import write_lines
from studio.curate.kto import Judged


class TrlJudgements:
    """Answers that people found good or bad; rows nobody judged are left out."""

    label = "TRL unpaired preference JSONL (KTO)"
    suffix = ".kto.jsonl"

    def write_judged(self, judged: Iterable[Judged], target: BinaryIO) -> int:
        """Write one line per judgement: two for a corrected row, none for one that nobody judged."""
        return write_lines(map(_line, judged), target)


def _line(judged: Judged) -> dict[str, Any]:
    return {
        "prompt": judged.messages,
        "completion": [judged.answer],
        "label": judged.label,
        **({"tools": judged.tools} if judged.tools else {}),
    }

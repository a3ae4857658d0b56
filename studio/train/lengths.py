"""How long rows are in tokens, counted with the base's own tokenizer (the `tokenizers` library only, no torch)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

COUNTED_ROWS = 500
FEW_STEPS = 100
"""A shorter run is not worth batches of like length: it is over soon, and learned a little less (decision 22)."""
TOKENS_PER_MESSAGE = 5
"""Role line and markers of a chat template, roughly."""
CHARACTERS_PER_TOKEN = 4.0


@dataclass(frozen=True)
class Lengths:
    """Tokens per row over a sample of rows."""

    counts: tuple[int, ...]
    exact: bool
    """Counted with the base's tokenizer; otherwise guessed at four characters a token."""

    @property
    def mean(self) -> float:
        """Tokens per row on average."""
        return sum(self.counts) / len(self.counts) if self.counts else 0.0

    @property
    def longest(self) -> int:
        """Tokens of the longest row counted."""
        return max(self.counts, default=0)

    def histogram(self, bins: int = 20) -> list[tuple[int, int]]:
        """(last length in the bar, rows) pairs from the shortest row to the longest."""
        if not self.counts:
            return []
        shortest = min(self.counts)
        width = -(-(self.longest - shortest + 1) // bins)
        ends = range(shortest + width - 1, self.longest + width, width)
        return [(end, sum(end - width < count <= end for count in self.counts)) for end in ends]


def measure(lines: Sequence[dict[str, Any]], tokenizer: Any | None) -> Lengths:
    """Count tokens of an even sample of training lines; without a tokenizer, guess from characters.

    Of a pair, the longer answer counts.
    """
    return _measured([[*line["prompt"], *_longest_answer(line)] for line in _sample(lines)], tokenizer)


def measure_answers(lines: Sequence[dict[str, Any]], tokenizer: Any | None) -> Lengths:
    """The same for the answers alone."""
    return _measured([_longest_answer(line) for line in _sample(lines)], tokenizer)


def _sample(lines: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    return lines[:: max(1, len(lines) // COUNTED_ROWS)]


def _measured(rows: list[list[dict[str, Any]]], tokenizer: Any | None) -> Lengths:
    texts = [[_text(message) for message in row] for row in rows]
    counted = _guessed(texts) if tokenizer is None else _counted(texts, tokenizer)
    return Lengths(tuple(counted), exact=tokenizer is not None)


def _counted(rows: list[list[str]], tokenizer: Any) -> Iterable[int]:
    flat = [text for row in rows for text in row]
    sizes = iter(len(coded.ids) for coded in tokenizer.encode_batch(flat, add_special_tokens=False))
    return [sum(next(sizes) + TOKENS_PER_MESSAGE for _ in row) for row in rows]


def _guessed(rows: list[list[str]]) -> Iterable[int]:
    return [sum(int(len(text) / CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE for text in row) for row in rows]


def _longest_answer(line: dict[str, Any]) -> list[dict[str, Any]]:
    answers = [line[name] for name in ("completion", "chosen", "rejected") if line.get(name)]
    if "reference" in line:
        answers.append([{"content": line["reference"]}])
    return max(answers, key=lambda answer: sum(len(_text(message)) for message in answer), default=[])


def _text(message: dict[str, Any]) -> str:
    calls = message.get("tool_calls")
    return str(message.get("content") or "") + (json.dumps(calls, ensure_ascii=False) if calls else "")

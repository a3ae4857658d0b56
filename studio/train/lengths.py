"""How long rows are in tokens, counted with the base's own tokenizer (the `tokenizers` library only, no torch)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from studio.curate.snapshot import Row
from studio.train.data import plain

COUNTED_ROWS = 500
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

    def quantile(self, share: float) -> int:
        """Tokens that this share of the rows stay within."""
        ordered = sorted(self.counts)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0

    def histogram(self, bins: int = 20) -> list[tuple[int, int]]:
        """(last length in the bar, rows) pairs from the shortest row to the longest."""
        if not self.counts:
            return []
        shortest = min(self.counts)
        width = -(-(self.longest - shortest + 1) // bins)
        ends = range(shortest + width - 1, self.longest + width, width)
        return [(end, sum(end - width < count <= end for count in self.counts)) for end in ends]


def measure(rows: list[Row], tokenizer: Any | None) -> Lengths:
    """Count tokens of an even sample of rows; without a tokenizer, guess from characters."""
    step = max(1, len(rows) // COUNTED_ROWS)
    sample = rows[::step]
    counted = _guessed(sample) if tokenizer is None else _counted(sample, tokenizer)
    return Lengths(tuple(counted), exact=tokenizer is not None)


def _counted(rows: list[Row], tokenizer: Any) -> Iterable[int]:
    texts = [text for row in rows for text in _texts(row)]
    sizes = iter(len(coded.ids) for coded in tokenizer.encode_batch(texts, add_special_tokens=False))
    return [sum(next(sizes) + TOKENS_PER_MESSAGE for _ in _texts(row)) for row in rows]


def _guessed(rows: list[Row]) -> Iterable[int]:
    return [sum(int(len(text) / CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE for text in _texts(row)) for row in rows]


def _texts(row: Row) -> list[str]:
    return [message["content"] for message in plain(row.messages)] + [row.output]

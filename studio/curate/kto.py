"""Single judgements for KTO: an answer that people found good or bad, without another one to compare it to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from storage.artifacts import Artifacts
from studio.curate.outputs import assistant_message
from studio.curate.snapshot import DISLIKED, Row, read_split

GOOD, BAD = 0.75, 0.25
"""Mean ratings (0 worst to 1 best) from which an answer counts as good, up to which as bad; between them as neither."""


@dataclass(frozen=True)
class Judged:
    """One answer and whether it is the kind people want."""

    example_id: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    completion: str
    label: bool
    source: str
    """correction, confirmed, rating (teammates'), thumbs (users')."""

    @property
    def answer(self) -> dict[str, Any]:
        """The answer as an assistant message."""
        return assistant_message(self.completion)


def kto_rows(rows: Iterable[Row]) -> Iterator[Judged]:
    """The judgements in these rows: what a teammate decided outranks ratings, and those outrank thumbs.

    A correction makes two: the model's answer is unwanted, the corrected one wanted.
    """
    for row in rows:
        for completion, label, source in judgements(row):
            yield Judged(row.example_id, row.messages, row.tools, completion, label, source)


def read_judged(artifacts: Artifacts, digest: str, split: str = "train") -> Iterator[Judged]:
    """The judgements of one split, streamed; of the training rows with those that were left out as disliked."""
    splits = (split, DISLIKED) if split == "train" else (split,)
    return kto_rows(row for each in splits for row in read_split(artifacts, digest, each))


def judgements(row: Row) -> list[tuple[str, bool, str]]:
    """(answer, whether it is wanted, source) for one row; most rows have none."""
    if row.correction:
        return [(row.original_output, False, "correction"), (row.output, True, "correction")]
    if not row.output.strip():
        return []
    if row.verified and row.decided_how:
        return [(row.output, True, "confirmed")]
    if row.rated is not None:
        return [(row.output, row.rated >= GOOD, "rating")] if not BAD < row.rated < GOOD else []
    return [(row.output, row.rating == "up", "thumbs")] if row.rating in ("up", "down") else []

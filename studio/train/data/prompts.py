"""Prompts to practise on, each with the answer that a check may compare with."""

from __future__ import annotations

from collections.abc import Iterator

from studio.train.data.messages import plain
from studio.train.data.source import Candidate, Source, why_left_out


def candidates(source: Source) -> Iterator[Candidate]:
    """A line per row: its prompt, and its answer as the reference."""
    for row in source.version.train:
        reason = why_left_out(row, source.leaked, answered=False)
        line = {"prompt": plain(row.messages), "reference": row.output}
        yield Candidate(row.prompt_hash, None if reason else line, reason or "")

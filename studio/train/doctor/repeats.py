"""Rows that repeat others, and prompts with several answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from studio.train.doctor.finding import Case, Finding


def exact_repeats(case: Case) -> Iterator[Finding]:
    """Exact repeats weigh double."""
    pairs = Counter((row.prompt_hash, row.output) for row in case.version.train)
    repeated = sum(count - 1 for count in pairs.values())
    if repeated:
        text = f"{repeated} rows repeat another row exactly and weigh double."
        yield Finding("warning", text, "Freeze a new version to drop them.", page="curate")


def torn(case: Case) -> Iterator[Finding]:
    """The same prompt with different answers teaches the model to waver."""
    answers: dict[str, set[str]] = {}
    for row in case.version.train:
        answers.setdefault(row.prompt_hash, set()).add(row.output)
    if count := sum(len(outputs) > 1 for outputs in answers.values()):
        text = f"{count} prompts appear with different answers; the model will learn to waver."
        yield Finding("warning", text, "Decide on one answer each on Label.", page="label")

"""Answers that are nearly always the same, classes with too few examples, classes that only golden rows have."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from studio.curate.snapshot import Row
from studio.train.doctor.finding import Case, Finding, shown

LEAST_ROWS, MOST_CLASSES, ROWS_PER_CLASS = 30, 100, 3
"""Answers form classes when there are enough rows and each answer comes up a few times."""
ONE_SIDED, FEW_OF_A_CLASS = 0.9, 5
WHOLE = "answer"
NAMED = 3


def label_skew(case: Case) -> Iterator[Finding]:
    """Per class of answers: the whole answer, or every field of a JSON answer that takes few values."""
    if case.plan.method not in ("sft", "distil"):
        return
    golden = classes(case.version.golden, least=1)
    for name, counts in classes(case.version.train).items():
        yield from _one_sided(name, counts)
        yield from _rare(name, counts)
        yield from _unseen(name, counts, golden.get(name, Counter()))


def classes(rows: Iterable[Row], least: int = LEAST_ROWS) -> dict[str, Counter[str]]:
    """How often each value comes up, by field; fields with open answers are left out."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        for name, value in _fields(row.output):
            found.setdefault(name, Counter())[value] += 1
    return {name: counts for name, counts in found.items() if _is_closed(counts, least)}


def _fields(output: str) -> Iterator[tuple[str, str]]:
    text = output.strip()
    parsed = _object(text) if text.startswith("{") else None
    if parsed is None:
        yield WHOLE, text
        return
    for name, value in parsed.items():
        if value is None or isinstance(value, str | bool | int):
            yield name, value if isinstance(value, str) else json.dumps(value)


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _is_closed(counts: Counter[str], least: int) -> bool:
    total = counts.total()
    return total >= least and len(counts) <= MOST_CLASSES and (least == 1 or len(counts) * ROWS_PER_CLASS <= total)


def _one_sided(name: str, counts: Counter[str]) -> Iterator[Finding]:
    value, most = counts.most_common(1)[0]
    share = most / counts.total()
    if share >= ONE_SIDED:
        text = f"{share:.0%} of the rows have {_said(name, value)}; a model that always says so would look right."
        yield Finding("warning", text, "Add examples of the others on Curate.", page="curate")


def _rare(name: str, counts: Counter[str]) -> Iterator[Finding]:
    rare = [value for value, count in counts.items() if count < FEW_OF_A_CLASS]
    if rare:
        named = ", ".join(f"“{shown(value, 24)}”" for value in rare[:NAMED]) + (" …" if len(rare) > NAMED else "")
        text = f"{len(rare)} of {len(counts)} values of {name} have fewer than {FEW_OF_A_CLASS} examples: {named}."
        yield Finding("info", text, "They will hardly be learned; add examples on Curate.", page="curate")


def _unseen(name: str, counts: Counter[str], golden: Counter[str]) -> Iterator[Finding]:
    unseen = [value for value in golden if value not in counts]
    if unseen:
        rows = sum(golden[value] for value in unseen)
        text = f"{rows} golden rows expect {_said(name, unseen[0])}{' or others' if len(unseen) > 1 else ''}, "
        yield Finding("warning", text + "which no training row has.", "Add such examples on Curate.", page="curate")


def _said(name: str, value: str) -> str:
    said = f"“{shown(value)}”"
    return f"the answer {said}" if name == WHOLE else f"{name} {said}"

"""What people said about an item, read for review: how many say what, and how far they are apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from storage.tables import Annotation, LabelItem, LabelTask
from studio.label.items import asked_of
from studio.label.resolve import same_answer
from studio.label.resolving import stands_by
from studio.label.templates import template

RATED_APART = 2
"""Ratings this far apart are a disagreement."""
RANKS = "ranks the answers"
FIRST = ("verdict", "label")
"""Questions whose answer says most."""
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def is_conflict(task: LabelTask, item: LabelItem, given: Sequence[Annotation]) -> bool:
    """Whether people disagree and no rule settles it."""
    if len(given) < 2:
        return False
    asked = template(task.template)
    if not asked.decides:
        return _apart([each.answers for each in given])
    answers = [(each.annotator, each.answers) for each in given]
    return asked.decision(answers, item.shown_output, asked_of(task, item)).verdict == "disputed"


def split_of(task: LabelTask, item: LabelItem, given: Sequence[Annotation]) -> float:
    """How split people are: the chance that two of their answers, drawn at random, differ (Gini–Simpson), 0..1."""
    keys = Counter(_key(task, item, each) for each in given)
    total = sum(keys.values())
    return 1 - sum((count / total) ** 2 for count in keys.values()) if total else 0.0


def sentence(given: Sequence[Annotation]) -> str:
    """How many say what: "one says correct, two say wrong". No names: they vote blind in a moment."""
    said = Counter(stance(each.answers) for each in given)
    if len(said) > 1:
        return ", ".join(f"{_number(n)} {what if n == 1 else _plural(what)}" for what, n in said.items())
    [(what, n)] = said.items()
    both = "prefer different answers" if what == RANKS else f"{_plural(what)}, and differ in what is right"
    return f"{_number(n)} {both}"


def stance(answers: dict[str, Any]) -> str:
    """An answer in a few words."""
    for name, value in sorted(answers.items(), key=lambda pair: pair[0] not in FIRST):
        if isinstance(value, bool) or value in (None, "", [], {}):
            continue
        if isinstance(value, int | float):
            return f"rates it {value:g}"
        if isinstance(value, str) and name != "output" and len(value) <= 60:
            return f"says {value}"
        if isinstance(value, list):
            return _listed(value)
    return "wrote an answer" if answers.get("output") else "gave no answer"


def _listed(value: list[Any]) -> str:
    if all(isinstance(each, str) for each in value):
        return f"says {', '.join(value)}"[:80]
    return RANKS if _ranked(value) else f"marks {len(value)} spans"


def _ranked(value: list[Any]) -> bool:
    return bool(value) and all(isinstance(each, dict) and "rank" in each for each in value)


def _apart(answers: Sequence[dict[str, Any]]) -> bool:
    return any(_differ([each[name] for each in answers if each.get(name) is not None]) for name in answers[0])


def _differ(values: list[Any]) -> bool:
    if all(isinstance(value, int | float) for value in values):
        return bool(values) and max(values) - min(values) >= RATED_APART
    return len({repr(value) for value in values}) > 1


def _key(task: LabelTask, item: LabelItem, annotation: Annotation) -> str:
    output = stands_by(task, item, annotation)
    return same_answer(output) if output is not None else f"none:{stance(annotation.answers)}"


def _number(n: int) -> str:
    return NUMBERS[n - 1] if n <= len(NUMBERS) else str(n)


def _plural(what: str) -> str:
    verb, _, rest = what.partition(" ")
    return f"{ {'says': 'say', 'rates': 'rate', 'ranks': 'rank', 'marks': 'mark'}.get(verb, verb) } {rest}".strip()

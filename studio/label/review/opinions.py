"""What people said about an item, read for review: the answer they stand by, and how far they are apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from storage.tables import Annotation, LabelItem, LabelTask
from studio.label.resolve import Opinion, decide, same_answer
from studio.label.templates import template

RATED_APART = 2
"""Ratings this far apart are a disagreement."""


def stands_by(task: LabelTask, item: LabelItem, annotation: Annotation) -> str | None:
    """The output that the answer stands by: written, chosen, or ranked best alone."""
    output = template(task.template).output(annotation.answers, item.shown_output)
    return output if output is not None else _best(item, annotation.answers)


def is_conflict(task: LabelTask, item: LabelItem, given: Sequence[Annotation]) -> bool:
    """Whether people disagree and no rule settles it."""
    if len(given) < 2:
        return False
    opinions = [Opinion(each.annotator, stands_by(task, item, each)) for each in given]
    if any(each.output is not None for each in opinions) or template(task.template).decides:
        return decide(opinions, item.shown_output).verdict == "disputed"
    return _apart([each.answers for each in given])


def split_of(task: LabelTask, item: LabelItem, given: Sequence[Annotation]) -> float:
    """How split people are: the chance that two of their answers, drawn at random, differ (Gini–Simpson), 0..1."""
    keys = Counter(_key(task, item, each) for each in given)
    total = sum(keys.values())
    return 1 - sum((count / total) ** 2 for count in keys.values()) if total else 0.0


def sentence(given: Sequence[Annotation]) -> str:
    """Who says what: "mia says correct, noah says wrong"."""
    said: dict[str, list[str]] = {}
    for each in given:
        said.setdefault(stance(each.answers), []).append(each.annotator)
    if len(said) == 1:
        [(what, names)] = said.items()
        return f"{_names(names)} differ in what is right, though each {what}"
    return ", ".join(f"{_names(names)} {what if len(names) == 1 else _plural(what)}" for what, names in said.items())


def stance(answers: dict[str, Any]) -> str:
    """An answer in a few words."""
    for name, value in answers.items():
        if isinstance(value, bool) or value in (None, "", [], {}):
            continue
        if isinstance(value, int | float):
            return f"rates it {value:g}"
        if isinstance(value, str) and name != "output" and len(value) <= 60:
            return f"says {value}"
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return f"says {', '.join(value)}"[:80]
        if isinstance(value, list):
            return "ranks them otherwise" if _ranked(value) else f"marks {len(value)} spans"
    return "wrote an answer" if answers.get("output") else "gave no answer"


def _best(item: LabelItem, answers: dict[str, Any]) -> str | None:
    """The one candidate ranked best, where the item compares some."""
    outputs = {str(each.get("name")): str(each.get("output") or "") for each in item.candidates}
    for value in answers.values():
        if outputs and isinstance(value, list) and _ranked(value):
            top = min(each["rank"] for each in value)
            best = [each["value"] for each in value if each["rank"] == top]
            return outputs.get(str(best[0])) if len(best) == 1 else None
    return None


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


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _plural(what: str) -> str:
    verb, _, rest = what.partition(" ")
    return f"{ {'says': 'say', 'rates': 'rate', 'ranks': 'rank', 'marks': 'mark'}.get(verb, verb) } {rest}".strip()

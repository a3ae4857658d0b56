"""How people answer, as help: gold questions, estimated error rates, and who reads a question differently."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sqlmodel import Session

from storage.repositories.labels import AnnotationRepository, LabelItemRepository
from storage.tables import Annotation, LabelItem, LabelTask
from studio.label import dawid_skene, gold
from studio.label.backend import QuestionKind
from studio.scoring.proportions import wilson

FEWEST_ITEMS = 10
FEWEST_PEOPLE = 3
FEWEST_GOLD = 5
FEWEST_DISAGREEMENTS = 3
Said = dict[str, dict[str, str]]
"""Item → person → label."""


@dataclass(frozen=True)
class PersonQuality:
    """One person's answers in figures; shares are 0..1. A figure that cannot be told from the data is None."""

    username: str
    answered: int
    gold_right: int = 0
    gold_n: int = 0
    gold_low: float | None = None
    gold_high: float | None = None
    ds_accuracy: float | None = None
    """Share of their answers that Dawid and Skene's model takes for right."""
    ds_n: int = 0
    """Answers that the estimate rests on."""
    median_seconds: float | None = None
    note: str = ""


def quality_of(session: Session, task: LabelTask) -> list[PersonQuality]:
    """Everybody who answered, by name: this is no ranking."""
    annotations = AnnotationRepository(session).of_task(task.id, "submitted")
    items = {item.id: item for item in LabelItemRepository(session).of_task(task.id)}
    estimated = estimated_accuracy(task, annotations, items)
    notes = reading_notes(task, annotations)
    return [
        _person(name, [each for each in annotations if each.annotator == name], items, estimated, notes)
        for name in sorted({each.annotator for each in annotations})
    ]


def consensus(task: LabelTask, annotations: Sequence[Annotation], question: str) -> dict[str, Any]:
    """The most likely label of each item under the model, for a question of this task."""
    answers = _triples(annotations, question)
    return dawid_skene.estimate(answers).consensus() if answers else {}


def estimated_accuracy(
    task: LabelTask, annotations: Sequence[Annotation], items: Mapping[str, LabelItem]
) -> dict[str, tuple[float, int]]:
    """Person → (estimated share of right answers, answers), averaged over the task's questions with one label.

    Nothing where the data cannot tell: fewer than ten examples with two answers, or two people and no gold questions.
    """
    found: dict[str, list[tuple[float, int]]] = {}
    for question in _label_questions(task):
        answers = _triples(annotations, question)
        known = {item.id: str(item.gold[question]) for item in items.values() if item.gold.get(question) is not None}
        if not _can_tell(answers, known):
            continue
        estimate = dawid_skene.estimate(answers, known)
        given = Counter(person for _item, person, _label in answers)
        for person in estimate.people:
            found.setdefault(person, []).append((estimate.accuracy(person), given[person]))
    return {person: _mean(figures) for person, figures in found.items()}


def reading_notes(task: LabelTask, annotations: Sequence[Annotation]) -> dict[str, list[str]]:
    """Person → sentences on whom they read a question differently from, and how."""
    notes: dict[str, list[str]] = {}
    for question in _label_questions(task):
        said = _said(annotations, question)
        for first, second in combinations(sorted({each.annotator for each in annotations}), 2):
            sentence = _differ(said, question, first, second)
            for person in (first, second) if sentence else ():
                notes.setdefault(person, []).append(sentence)
    return notes


def _person(
    name: str,
    given: Sequence[Annotation],
    items: Mapping[str, LabelItem],
    estimated: Mapping[str, tuple[float, int]],
    notes: Mapping[str, list[str]],
) -> PersonQuality:
    right, n, missed = _gold(given, items)
    low, high = wilson(right, n) if n else (None, None)
    accuracy, answers = estimated.get(name, (None, 0))
    seconds = [each.seconds for each in given if each.seconds is not None]
    told = [*_gold_notes(missed), *notes.get(name, ())]
    median = statistics.median(seconds) if seconds else None
    return PersonQuality(name, len(given), right, n, low, high, accuracy, answers, median, " ".join(told))


def _gold(given: Sequence[Annotation], items: Mapping[str, LabelItem]) -> tuple[int, int, Counter[tuple[str, str]]]:
    """Right ones, all of them, and what was said where something else was right."""
    right = n = 0
    missed: Counter[tuple[str, str]] = Counter()
    for each in given:
        known = items[each.item_id].gold if each.item_id in items else {}
        said = gold.is_right(known, each.answers) if known else None
        if said is None:
            continue
        right, n = right + said, n + 1
        if not said:
            missed.update((str(each.answers[question]), str(value)) for question, value in known.items())
    return right, n, missed


def _gold_notes(missed: Counter[tuple[str, str]]) -> list[str]:
    found = [(pair, count) for pair, count in missed.most_common(1) if count >= FEWEST_DISAGREEMENTS]
    return [f"Said “{said}” {count} times where “{right}” is known to be right." for (said, right), count in found]


def _differ(said: Said, question: str, first: str, second: str) -> str:
    """A sentence when most disagreements of two people are of one sort; else nothing."""
    pairs: Counter[tuple[str, str]] = Counter()
    for answers in said.values():
        if first in answers and second in answers and answers[first] != answers[second]:
            pairs[answers[first], answers[second]] += 1
    if not pairs:
        return ""
    (one, other), count = pairs.most_common(1)[0]
    if count < FEWEST_DISAGREEMENTS or 2 * count < pairs.total():
        return ""
    return (
        f"{first} and {second} read “{question}” differently: {count} of {pairs.total()} disagreements are "
        f"{first} “{one}”, {second} “{other}”."
    )


def _label_questions(task: LabelTask) -> list[str]:
    return [each["name"] for each in task.spec.get("questions", ()) if each["kind"] == QuestionKind.LABEL]


def _triples(annotations: Sequence[Annotation], question: str) -> list[tuple[str, str, Any]]:
    return [
        (each.item_id, each.annotator, str(each.answers[question]))
        for each in annotations
        if each.answers.get(question) is not None
    ]


def _said(annotations: Sequence[Annotation], question: str) -> Said:
    found: Said = {}
    for item, person, label in _triples(annotations, question):
        found.setdefault(item, {})[person] = label
    return found


def _can_tell(answers: Sequence[tuple[str, str, Any]], known: Mapping[str, str]) -> bool:
    per_item = Counter(item for item, _person, _label in answers)
    people = {person for _item, person, _label in answers}
    enough = sum(count > 1 for count in per_item.values()) >= FEWEST_ITEMS
    return enough and (len(people) >= FEWEST_PEOPLE or len(known) >= FEWEST_GOLD)


def _mean(figures: Sequence[tuple[float, int]]) -> tuple[float, int]:
    return statistics.fmean(value for value, _n in figures), sum(n for _value, n in figures)

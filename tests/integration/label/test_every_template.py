"""Each kind of task on the real Argilla: sent, answered by two people, collected, measured, applied."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlmodel import select

from storage.database import Database
from storage.repositories.labels import AnnotationRepository
from storage.tables import Dataset, Example, LabelItem, LabelTask, PreferencePair
from studio.access.actor import Actor
from studio.label.draft import TaskDraft
from studio.label.items import order_of
from studio.label.resolving import Applied
from studio.label.shuffle import as_shown, platform_key
from studio.label.tasks import Labeling

pytestmark = [pytest.mark.argilla, pytest.mark.slow]
ME = Actor.operator()
PEOPLE = ("mia", "noah")
Publish = Callable[[str], None]
MARK = {"start": 2, "end": 10, "label": "a name"}
QUESTIONS = [
    {"title": "Tone?", "kind": "label", "options": ["warm", "cold"]},
    {"title": "Length", "kind": "rating", "ratings": [0, 1, 2], "required": False},
    {"title": "Order", "kind": "ranking", "options": ["facts", "style"]},
]


@pytest.fixture
def turn(labeling: Labeling, dataset: Dataset, run_publish: Publish) -> Callable[..., tuple[LabelTask, Applied | None]]:
    """Send two examples, let both people answer them, collect, and apply what can be applied."""

    def run(template: str, options: dict[str, Any], *answers: dict[str, Any]) -> tuple[LabelTask, Applied | None]:
        draft = TaskDraft(dataset.id, template, template, size=2, people=PEOPLE, options=options)
        task = labeling.create(ME, draft)
        run_publish(task.id)
        task = labeling.get(task.id)
        for who, values in zip(PEOPLE, answers, strict=True):
            rows = [item for item, _example in labeling.items(task.id)]
            given = dict(_told(task, item, who, values) for item in rows)
            labeling.backend().answer_as(task.backend_ref, who, given)
        assert labeling.sync(task.id).new == 4 and labeling.sync(task.id).new == 0
        assert labeling.progress(task.id).complete == 2
        return task, labeling.apply(ME, task.id) if template != "custom" and template != "rating" else None

    return run


def _told(task: LabelTask, item: LabelItem, who: str, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if task.template != "compare":
        return item.id, values
    return platform_key(item.id, who), {"ranking": as_shown(values["ranking"], order_of(task, item, who))}


def stored(labeling: Labeling, task: LabelTask) -> list[dict[str, Any]]:
    with labeling.database.read() as session:
        return [row.answers for row in AnnotationRepository(session).of_task(task.id)]


def ranks(a: int, b: int, c: int) -> dict[str, Any]:
    places = {"a": a, "b": b, "c": c}
    return {"ranking": [{"value": name, "rank": rank} for name, rank in places.items()]}


def test_a_comparison_keeps_ties_and_makes_pairs(labeling: Labeling, database: Database, turn: Any) -> None:
    with database.write() as session:
        for row in session.exec(select(Example)).all():
            row.output, row.prompt_hash = row.output.replace("shipping", "returns"), "same".ljust(64)
    task, applied = turn("compare", {"answers": 3}, ranks(2, 1, 2), ranks(3, 1, 2))
    assert applied is not None and (applied.corrected, applied.pairs) == (2, 6)
    assert {each["rank"] for each in stored(labeling, task)[0]["ranking"]} == {1, 2}
    with database.read() as session:
        votes = sorted((row.votes, row.against) for row in session.exec(select(PreferencePair)))
    assert votes == [(1, 0), (1, 0), (2, 0), (2, 0), (2, 0), (2, 0)]
    [agreement] = labeling.agreement(task.id)
    assert agreement.kappa == pytest.approx(2 / (6**0.5), abs=0.001) and agreement.n == 2


def test_several_labels_and_a_field(labeling: Labeling, turn: Any) -> None:
    options = {"labels": ["late", "broken", "lost"], "multi": True, "field": "category"}
    task, applied = turn("pick_label", options, {"label": ["lost", "late"]}, {"label": ["late", "lost"]})
    assert applied is not None and applied.corrected == 2
    outputs = [json.loads(example.output)["category"] for _item, example in labeling.items(task.id)]
    assert outputs == [["late", "lost"]] * 2


def test_marks_on_the_answer(labeling: Labeling, turn: Any) -> None:
    marked = {"found": "yes", "spans": [MARK]}
    task, applied = turn("spans", {"labels": ["a name", "a claim"]}, marked, marked)
    assert applied is not None and applied.marked == 2
    assert stored(labeling, task)[0] == marked
    assert not any(example.verified for _item, example in labeling.items(task.id))


def test_reasons_beside_a_verdict(labeling: Labeling, turn: Any) -> None:
    wrong = {"verdict": "wrong", "output": '{"category": "other"}', "reasons": ["off topic"], "rating": 1}
    task, applied = turn("verdict", {}, wrong, wrong)
    assert applied is not None and applied.corrected == 2
    assert stored(labeling, task)[0]["reasons"] == ["off topic"]


def test_a_rubric_and_questions_of_ones_own_measure(labeling: Labeling, turn: Any) -> None:
    task, _none = turn("rating", {"criteria": ["Polite", "Correct"]}, *[{"polite": 4, "correct": 2}] * 2)
    assert [each.percent for each in labeling.agreement(task.id)] == [100, 100]
    order = [{"value": "facts", "rank": 1}, {"value": "style", "rank": 1}]
    task, _none = turn("custom", {"questions": QUESTIONS}, *[{"tone": "warm", "length": 0, "order": order}] * 2)
    assert [each.question for each in labeling.agreement(task.id)] == ["tone", "length", "order"]
    assert stored(labeling, task)[0] == {"tone": "warm", "length": 0, "order": order}

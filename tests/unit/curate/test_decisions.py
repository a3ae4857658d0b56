"""A frozen row says who stands by its output, and an example says how it came to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import (
    Annotation,
    Dataset,
    Example,
    LabelItem,
    LabelTask,
    Project,
    Resolution,
    ReviewItem,
    ReviewSession,
)
from studio.access.actor import Actor
from studio.curate.datasets import Datasets
from studio.curate.examples import set_answer
from studio.curate.snapshot import Row, read_version

Answers = dict[str, dict[str, Any]]
Asked = Callable[..., str]
RATING = {"name": "rating", "kind": "rating", "ratings": [1, 2, 3, 4, 5]}


@pytest.fixture
def asked(database: Database) -> Asked:
    """Sends one example to people and records what they answered; returns the item's id."""

    def make(example: Example, answers: Answers, name: str = "Golden set", status: str = "submitted") -> str:
        with database.write() as session:
            task = LabelTask(dataset_id=example.dataset_id, name=name, spec={"questions": [RATING]})
            session.add(task)
            session.flush()
            item = LabelItem(task_id=task.id, example_id=example.id, shown_output=example.output)
            session.add(item)
            session.flush()
            for who, given in answers.items():
                session.add(Annotation(task_id=task.id, item_id=item.id, annotator=who, answers=given, status=status))
            return item.id

    return make


def resolve(database: Database, example: Example, output: str, **facts: Any) -> Resolution:
    """Records a decision and gives the example its output."""
    with database.write() as session:
        if item := session.get(LabelItem, facts.get("item_id", "")):
            facts["task_id"] = item.task_id
        made = Resolution(example_id=example.id, output=output, **facts)
        session.add(made)
        session.flush()
        stored = session.get(Example, example.id)
        assert stored is not None
        set_answer(stored, output, "people", verified=True, resolution_id=made.id)
        return made


@pytest.fixture
def frozen(filled: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor) -> Callable[[str], Row]:
    def find(example_id: str) -> Row:
        data = read_version(artifacts, datasets.freeze_now(operator, filled.id).digest)
        return next(row for row in data.train + data.golden if row.example_id == example_id)

    return find


@pytest.fixture
def example(filled: Dataset, datasets: Datasets) -> Example:
    return datasets.examples(filled.id)[0]


def test_a_row_nobody_decided_says_so(example: Example, frozen: Callable[[str], Row]) -> None:
    row = frozen(example.id)
    assert (row.decided_by, row.decided_how, row.rated) == ("", "", None)


def test_a_row_decided_by_a_rule_names_the_people_who_agreed(
    example: Example, frozen: Callable[[str], Row], asked: Asked, database: Database
) -> None:
    item = asked(
        example,
        {
            "noah": {"verdict": "wrong", "output": '{"category": "account"}'},
            "mia": {"verdict": "wrong", "output": '{"category":"account"}'},
            "rita": {"verdict": "wrong", "output": '{"category": "bug"}'},
        },
    )
    resolve(database, example, '{"category": "account"}', item_id=item, verdict="corrected", rule="majority")
    row = frozen(example.id)
    assert (row.decided_by, row.decided_how) == ("mia, noah", "majority")


def test_whoever_called_the_shown_answer_correct_agreed_with_it(
    example: Example, frozen: Callable[[str], Row], asked: Asked, database: Database
) -> None:
    item = asked(example, {"mia": {"verdict": "correct"}, "noah": {"verdict": "unsure"}})
    resolve(database, example, example.output, item_id=item, verdict="confirmed", rule="single")
    assert frozen(example.id).decided_by == "mia"


def test_a_name_on_the_resolution_is_the_one_that_counts(
    example: Example, frozen: Callable[[str], Row], asked: Asked, database: Database
) -> None:
    item = asked(example, {"mia": {"output": "x"}, "noah": {"output": "y"}})
    resolve(database, example, "x", item_id=item, verdict="corrected", rule="review", decided_by="rita")
    row = frozen(example.id)
    assert (row.decided_by, row.decided_how) == ("rita", "review")


def test_an_answer_given_by_hand_carries_the_name_of_whoever_gave_it(
    example: Example, frozen: Callable[[str], Row], datasets: Datasets, operator: Actor
) -> None:
    datasets.set_output(operator, example.id, "by hand")
    row = frozen(example.id)
    assert (row.decided_by, row.decided_how) == (operator.username, "by_hand")


def test_a_decision_that_people_went_back_on_is_nobodys(
    example: Example, frozen: Callable[[str], Row], asked: Asked, datasets: Datasets, database: Database
) -> None:
    item = asked(example, {"mia": {"output": "x"}, "noah": {"output": "y"}})
    made = resolve(database, example, "x", item_id=item, verdict="corrected", rule="single")
    with database.write() as session:
        session.get_one(Resolution, made.id).output = None
        session.get_one(Example, example.id).verified = False
    row = frozen(example.id)
    assert (row.decided_by, row.decided_how, row.verified) == ("", "", False)
    assert [each.stands for each in datasets.history(example.id)] == [False]


def test_ratings_of_the_answer_as_it_stands_are_averaged(
    example: Example, frozen: Callable[[str], Row], asked: Asked
) -> None:
    asked(example, {"mia": {"rating": 5}, "noah": {"rating": 4}})
    asked(example, {"rita": {"rating": 1}}, status="draft")
    assert frozen(example.id).rated == 0.875


def test_ratings_of_an_answer_that_was_changed_since_do_not_count(
    example: Example, frozen: Callable[[str], Row], asked: Asked, datasets: Datasets, operator: Actor
) -> None:
    asked(example, {"mia": {"rating": 1}})
    datasets.set_output(operator, example.id, "better")
    assert frozen(example.id).rated is None


def test_the_history_of_an_example_tells_every_decision_newest_first(
    example: Example, asked: Asked, database: Database, datasets: Datasets, operator: Actor, project: Project
) -> None:
    item = asked(example, {"mia": {"output": "x"}, "noah": {"output": "x"}})
    resolve(database, example, "x", item_id=item, verdict="corrected", rule="agreement")
    with database.write() as session:
        meeting = ReviewSession(project_id=project.id, dataset_id=example.dataset_id, title="Tuesday")
        session.add(meeting)
        session.flush()
        point = ReviewItem(session_id=meeting.id, position=0, example_id=example.id)
        session.add(point)
        session.flush()
    resolve(database, example, "y", review_item_id=point.id, verdict="corrected", rule="review", decided_by="rita")
    datasets.set_output(operator, example.id, "y")
    history = datasets.history(example.id)
    assert [(each.rule, each.decided_by, each.where, each.verdict, each.stands) for each in history] == [
        ("by_hand", operator.username, "", "confirmed", True),
        ("review", "rita", "Tuesday", "corrected", False),
        ("agreement", "mia, noah", "Golden set", "corrected", False),
    ]

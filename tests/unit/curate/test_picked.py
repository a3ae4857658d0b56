"""Calls picked by hand: golden examples that a person stands by."""

from __future__ import annotations

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Dataset, LogEntry, Project
from studio.access.actor import Actor
from studio.curate.datasets import Datasets
from studio.curate.picked import MOST, Golden
from studio.errors import InvalidInput, NotFound
from studio.jobs.queue import Jobs


@pytest.fixture
def datasets(database: Database, artifacts: Artifacts) -> Datasets:
    return Datasets(database, artifacts, Jobs(database))


@pytest.fixture
def dataset(datasets: Datasets, project: Project, operator: Actor) -> Dataset:
    return datasets.create(operator, project.id, "main", golden_percent=0)


def add(database: Database, project: Project, uid: str, prompt: str, reply: str = "Yes", **more: object) -> None:
    messages = [{"role": "user", "content": prompt}]
    answer = {"role": "assistant", "content": reply}
    with database.write() as session:
        session.add(LogEntry(project_id=project.id, uid=uid, messages=messages, reply=answer, reply_text=reply, **more))


def test_selected_calls_become_verified_golden_examples_with_a_name_on_them(
    database: Database, project: Project, dataset: Dataset, datasets: Datasets, operator: Actor
) -> None:
    for name in "abc":
        add(database, project, name, f"Question {name}")
    assert datasets.mark_golden(operator, dataset.id, ["a", "b"]) == Golden(marked=2, moved=2, unusable=0)
    summary = datasets.summary(dataset.id)
    assert (summary.verified_golden, summary.train) == (2, 0)
    [first, _second] = datasets.examples(dataset.id)
    [decision] = datasets.history(first.id)
    assert (decision.verdict, decision.decided_by, decision.stands) == ("confirmed", operator.username, True)
    assert datasets.mark_golden(operator, dataset.id, ["a"]).moved == 0


def test_a_prompt_that_is_golden_once_is_golden_everywhere(
    database: Database, project: Project, dataset: Dataset, datasets: Datasets, operator: Actor
) -> None:
    add(database, project, "a", "Same")
    add(database, project, "b", "Same", "No")
    datasets.pick(operator, dataset.id, ["a", "b"])
    datasets.mark_golden(operator, dataset.id, ["b"])
    found = {each.output: each for each in datasets.examples(dataset.id)}
    assert {each.split for each in found.values()} == {"golden"}
    assert (found["Yes"].excluded, found["No"].excluded) == ("duplicate", None)


def test_a_correction_is_what_becomes_golden_and_failures_do_not(
    database: Database, project: Project, dataset: Dataset, datasets: Datasets, operator: Actor
) -> None:
    add(database, project, "a", "One", correction="Maybe")
    add(database, project, "b", "Two", "", status="error")
    add(database, project, "c", "Three", rating="down")
    done = datasets.mark_golden(operator, dataset.id, ["a", "b", "c"])
    assert (done.marked, done.unusable) == (2, 1)
    golden = datasets.examples(dataset.id, split="golden", verified=True)
    assert sorted(each.output for each in golden) == ["Maybe", "Yes"] and not any(each.excluded for each in golden)


def test_a_call_knows_the_examples_it_became(
    database: Database, project: Project, dataset: Dataset, datasets: Datasets, operator: Actor
) -> None:
    add(database, project, "a", "One")
    [example] = datasets.pick(operator, dataset.id, ["a"])
    assert [(made.id, where.name) for made, where in datasets.made_of(example.log_entry_id or 0)] == [
        (example.id, "main")
    ]
    assert datasets.made_of(0) == []


def test_too_many_or_unknown_calls_are_refused(dataset: Dataset, datasets: Datasets, operator: Actor) -> None:
    with pytest.raises(InvalidInput, match="1 to 500"):
        datasets.pick(operator, dataset.id, ["x"] * (MOST + 1))
    with pytest.raises(InvalidInput):
        datasets.pick(operator, dataset.id, [])
    with pytest.raises(NotFound):
        datasets.pick(operator, dataset.id, ["gone"])

"""Comparing answers, from what there is to compare to preference pairs, on the platform in memory."""

from __future__ import annotations

from typing import Any

import pytest

from storage.database import Database
from storage.tables import (
    DatasetVersion,
    Evaluation,
    EvaluationOutput,
    Example,
    LabelTask,
    LogEntry,
    Model,
    PreferencePair,
)
from studio.access.actor import Actor
from studio.label.candidates import candidates_for
from studio.label.items import order_of
from studio.label.shuffle import as_shown, platform_key
from tests.unit.label.conftest import Desk

ME = Actor.operator()
OTHERS = ('{"category": "returns"}', '{"category": "other"}')


@pytest.fixture
def evaluated(desk: Desk) -> Desk:
    """Every golden example was answered by two other models."""
    with desk.labeling.database.write() as session:
        version = DatasetVersion(dataset_id=desk.dataset.id, number=1, digest="d" * 64, train_rows=6, golden_rows=6)
        session.add(version)
        models = [Model(project_id=desk.project.id, name=name, kind="provider") for name in ("rival", "student")]
        session.add_all(models)
        session.flush()
        run = Evaluation(project_id=desk.project.id, dataset_version_id=version.id, name="first")
        session.add(run)
        session.flush()
        for example in desk_examples(desk):
            for model, output in zip(models, OTHERS, strict=True):
                row = EvaluationOutput(evaluation_id=run.id, model_id=model.id, example_id=example.id, output=output)
                session.add(row)
    return desk


def desk_examples(desk: Desk) -> list[Example]:
    with desk.labeling.database.read() as session:
        return [row for row in session.exec(_examples(desk)) if row.split == "golden"]


def _examples(desk: Desk) -> Any:
    from sqlmodel import select

    return select(Example).where(Example.dataset_id == desk.dataset.id).order_by(Example.id)


def candidates(database: Database, example: Example, most: int = 3) -> list[dict[str, Any]]:
    with database.read() as session:
        return candidates_for(session, example, most)


def pairs(desk: Desk) -> list[tuple[str, str, int, int, str]]:
    with desk.labeling.database.read() as session:
        from sqlmodel import select

        rows = session.exec(select(PreferencePair)).all()
        return sorted((row.chosen, row.rejected, row.votes, row.against, row.decided_by) for row in rows)


def send(desk: Desk, **choices: Any) -> LabelTask:
    return desk.send(**{"template": "compare", "size": 2, "sample": "random", **choices})


def rank(desk: Desk, task: LabelTask, who: str, item_id: str, status: str = "submitted", **places: int) -> None:
    """Answer as this person would who prefers candidates so: through the names they are shown."""
    item = next(item for item, _example in desk.labeling.items(task.id) if item.id == item_id)
    told = [{"value": name, "rank": place} for name, place in places.items()]
    shown = as_shown(told, order_of(task, item, who))
    desk.platform.say(task.backend_ref, who, platform_key(item_id, who), status, {"ranking": shown})


def test_answers_of_models_and_earlier_answers_can_be_compared(evaluated: Desk) -> None:
    example = desk_examples(evaluated)[0]
    found = candidates(evaluated.labeling.database, example)
    assert [each["name"] for each in found] == ["a", "b", "c"]
    assert found[0] == {"name": "a", "output": example.output, "model": "model"}
    assert {each["model"] for each in found[1:]} == {"rival", "student"}
    assert len(candidates(evaluated.labeling.database, example, most=2)) == 2


def test_equal_answers_are_one_candidate_and_failed_calls_are_none(desk: Desk, evaluated: Desk) -> None:
    example = desk_examples(desk)[0]
    with desk.labeling.database.write() as session:
        rows = session.exec(_outputs(example.id)).all()
        rows[0].output = example.output.replace(" ", "")
        rows[1].error = "timed out"
    assert [each["output"] for each in candidates(desk.labeling.database, example)] == [example.output]


def _outputs(example_id: str) -> Any:
    from sqlmodel import select

    return select(EvaluationOutput).where(EvaluationOutput.example_id == example_id)


def test_what_a_correction_replaced_and_the_same_prompt_elsewhere_are_candidates(desk: Desk) -> None:
    first, second = desk_examples(desk)[:2]
    with desk.labeling.database.write() as session:
        entry = LogEntry(project_id=desk.project.id, model="alias", served_model="gpt-9")
        session.add(entry)
        session.flush()
        row, twin = session.get_one(Example, first.id), session.get_one(Example, second.id)
        row.output, row.output_source, row.log_entry_id = OTHERS[0], "people", entry.id
        twin.prompt_hash = row.prompt_hash
        first = row
    found = candidates(desk.labeling.database, first)
    assert [each["model"] for each in found] == ["people", "gpt-9", "model"]
    assert found[1]["output"] == first.original_output and found[2]["output"] == second.output


def test_each_person_gets_an_item_of_their_own_without_any_models_name(evaluated: Desk) -> None:
    task = send(evaluated, options={"answers": 3})
    spec, items = evaluated.platform.specs[task.backend_ref], evaluated.platform.items[task.backend_ref]
    assert (spec.answers_per_item, spec.answers_shown) == (1, ("A", "B", "C"))
    assert set(items) == {platform_key(item, who) for item in evaluated.ids(task) for who in ("mia", "noah")}
    for key, item in items.items():
        assert item.asked == (key.split("~")[1],) and sorted(item.answers) == ["A", "B", "C"]
        assert not item.suggestions and not item.suggested_by and "model" not in item.facts
        assert "rival" not in str(item) and "student" not in str(item)
    assert all(item.backend_ref for item, _example in evaluated.labeling.items(task.id))
    [question] = spec.questions
    assert question.options == ("A", "B", "C")


def test_rankings_come_back_as_candidates_with_their_ties(evaluated: Desk) -> None:
    task = send(evaluated, options={"answers": 3})
    first, second = evaluated.ids(task)
    for who in ("mia", "noah"):
        rank(evaluated, task, who, first, a=2, b=1, c=1)
    rank(evaluated, task, "mia", second, status="draft", a=1, b=2, c=3)
    assert evaluated.labeling.sync(task.id).new == 3 and evaluated.labeling.sync(task.id).new == 0
    assert evaluated.labeling.progress(task.id).complete == 1
    [agreement] = evaluated.labeling.agreement(task.id)
    assert (agreement.measure, agreement.percent, agreement.kappa) == ("Kendall's τ_b", 100, pytest.approx(1))
    evaluated.labeling.apply(ME, task.id)
    example = evaluated.example(task, first)
    found = {(better, worse) for better, worse, *_rest in pairs(evaluated)}
    assert found == {(OTHERS[0], example.output), (OTHERS[1], example.output)}


def test_the_majority_makes_pairs_and_a_tie_votes_for_neither(evaluated: Desk) -> None:
    task = send(evaluated, answers_per_item=3, people=("mia", "noah", "otto"), size=1)
    [item] = evaluated.ids(task)
    shown = evaluated.example(task, item).output
    other = evaluated.labeling.items(task.id)[0][0].candidates[1]["output"]
    for who, places in (("mia", (2, 1)), ("noah", (2, 1)), ("otto", (1, 1))):
        rank(evaluated, task, who, item, a=places[0], b=places[1])
    evaluated.labeling.sync(task.id)
    done = evaluated.labeling.apply(ME, task.id)
    assert (done.corrected, done.pairs) == (1, 1) and str(done).endswith("1 preference pair")
    assert pairs(evaluated) == [(other, shown, 2, 0, "mia, noah")]
    evaluated.labeling.apply(ME, task.id)
    assert len(pairs(evaluated)) == 1

    rank(evaluated, task, "mia", item, a=1, b=2)
    evaluated.labeling.sync(task.id)
    assert evaluated.labeling.apply(ME, task.id).pairs == 0 and pairs(evaluated) == []


def test_the_winner_becomes_the_output_but_measures_nothing(evaluated: Desk) -> None:
    task = send(evaluated, size=1)
    [item] = evaluated.ids(task)
    winner = evaluated.labeling.items(task.id)[0][0].candidates[1]["output"]
    for who in ("mia", "noah"):
        rank(evaluated, task, who, item, a=2, b=1)
    evaluated.labeling.sync(task.id)
    evaluated.labeling.apply(ME, task.id)
    example = evaluated.example(task, item)
    assert (example.output, example.output_source, example.verified) == (winner, "people", False)


def test_a_verified_output_is_not_replaced_by_a_preference(evaluated: Desk) -> None:
    task = send(evaluated, size=1)
    [item] = evaluated.ids(task)
    before = evaluated.example(task, item)
    evaluated.change(before.id, verified=True)
    for who in ("mia", "noah"):
        rank(evaluated, task, who, item, a=2, b=1)
    evaluated.labeling.sync(task.id)
    done = evaluated.labeling.apply(ME, task.id)
    assert (done.disputed, done.pairs) == (1, 1)
    after = evaluated.example(task, item)
    assert after.output == before.output and after.verified


def test_what_somebody_answers_in_anothers_queue_counts_until_they_answer_their_own(evaluated: Desk) -> None:
    task = send(evaluated, size=1)
    [item] = evaluated.ids(task)
    row = evaluated.labeling.items(task.id)[0][0]
    told = as_shown([{"value": "a", "rank": 1}, {"value": "b", "rank": 2}], order_of(task, row, "noah"))
    evaluated.platform.say(task.backend_ref, "mia", platform_key(item, "noah"), "submitted", {"ranking": told})
    assert evaluated.labeling.sync(task.id).new == 1
    assert _first_choice(evaluated, task) == {"mia": "a"}
    rank(evaluated, task, "mia", item, a=2, b=1)
    evaluated.labeling.sync(task.id)
    assert _first_choice(evaluated, task) == {"mia": "b"}


def _first_choice(desk: Desk, task: LabelTask) -> dict[str, str]:
    from storage.repositories.labels import AnnotationRepository

    with desk.labeling.database.read() as session:
        rows = AnnotationRepository(session).of_task(task.id)
        return {row.annotator: row.answers["ranking"][0]["value"] for row in rows}

"""Adding calls to a dataset, and what people may do with its examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.database import Database
from storage.tables import Dataset, LogEntry, Project
from studio.access.actor import Actor, Role
from studio.curate.datasets import Datasets
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound

MakeCall = Callable[..., LogEntry]


def rows(datasets: Datasets, dataset: Dataset) -> list[tuple[str, str | None]]:
    """Output and reason of every example, in the order of the calls."""
    found = sorted(datasets.examples(dataset.id), key=lambda row: row.log_entry_id or 0)
    return [(row.output, row.excluded) for row in found]


@pytest.fixture
def add(datasets: Datasets, dataset: Dataset, operator: Actor) -> Callable[..., Any]:
    return lambda *entries: datasets.add_entries(operator, dataset.id, entries)


def test_adding_the_same_calls_again_changes_nothing(
    add: Any, call: MakeCall, datasets: Datasets, dataset: Dataset
) -> None:
    entries = [call("a", "{}"), call("b", "{}"), call("a", "{}")]
    first, again = add(*entries), add(*entries)
    assert (first.new, first.duplicates, first.included) == (3, 1, 2)
    assert (again.new, again.updated, again.unchanged) == (0, 0, 3)
    assert len(rows(datasets, dataset)) == 3


def test_of_equal_prompts_the_first_stays(add: Any, call: MakeCall, datasets: Datasets, dataset: Dataset) -> None:
    add(call("a", "first"))
    add(call("a", "second"))
    assert rows(datasets, dataset) == [("first", None), ("second", "duplicate")]


@pytest.mark.parametrize("facts", [{"correction": "right"}, {"rating": "up"}])
def test_a_corrected_or_liked_duplicate_replaces_the_first(
    add: Any, call: MakeCall, datasets: Datasets, dataset: Dataset, facts: dict[str, str]
) -> None:
    add(call("a", "first"), call("a", "second", **facts))
    assert [reason for _, reason in rows(datasets, dataset)] == ["duplicate", None]


def test_a_failed_call_does_not_keep_a_good_one_with_the_same_prompt_out(
    add: Any, call: MakeCall, datasets: Datasets, dataset: Dataset
) -> None:
    add(call("a", "", status="error"), call("a", "fine"))
    assert rows(datasets, dataset) == [("", "error"), ("fine", None)]


def test_broken_json_is_left_out_where_most_answers_are_json(
    add: Any, call: MakeCall, datasets: Datasets, dataset: Dataset
) -> None:
    add(
        call("a", '{"x": 1}'), call("b", '{"x": 2}'), call("c", '{"x": '), call("d", correction="none"), call("e", "{}")
    )
    assert [reason for _, reason in rows(datasets, dataset)] == [None, None, "invalid_json", None, None]


def test_prose_is_kept_where_most_answers_are_prose(add: Any, call: MakeCall) -> None:
    assert add(call("a", "one"), call("b", "two"), call("c", "{}")).excluded.total() == 0


def test_golden_prompts_stay_in_when_todays_model_answered_them_badly(
    call: MakeCall, datasets: Datasets, project: Project, operator: Actor
) -> None:
    dataset = datasets.create(operator, project.id, "half golden", golden_percent=50)
    calls = [call(f"good {number}", "{}") for number in range(60)]
    calls += [call(f"broken {number}", "{") for number in range(20)]
    calls += [call(f"disliked {number}", "{}", rating="down") for number in range(20)]
    datasets.add_entries(operator, dataset.id, calls)
    left_out = datasets.examples(dataset.id, excluded=True, limit=200)
    assert {row.split for row in left_out} == {"train"}
    assert {row.excluded for row in left_out} == {"invalid_json", "thumbs_down"}
    golden = [row.output for row in datasets.examples(dataset.id, split="golden", limit=200)]
    assert "{" in golden


def test_a_correction_by_users_verifies_training_examples_but_not_golden_ones(
    call: MakeCall, datasets: Datasets, project: Project, operator: Actor
) -> None:
    dataset = datasets.create(operator, project.id, "corrected", golden_percent=50)
    datasets.add_entries(operator, dataset.id, [call(f"q{n}", "{}", correction='{"a": 1}') for n in range(20)])
    found = datasets.examples(dataset.id, limit=50)
    assert {row.split for row in found} == {"train", "golden"}
    assert all(row.output == '{"a": 1}' and row.verified is (row.split == "train") for row in found)


def test_feedback_that_comes_later_reaches_the_example(
    add: Any, call: MakeCall, database: Database, datasets: Datasets, dataset: Dataset
) -> None:
    entries = [call("a", "one"), call("b", "two"), call("c", "three")]
    add(*entries)
    entries[0].correction, entries[1].rating, entries[2].rating = "better", "down", "up"
    assert add(*entries).updated == 3
    assert rows(datasets, dataset) == [("better", None), ("two", "thumbs_down"), ("three", None)]
    entries[1].rating = "up"
    add(*entries)
    assert rows(datasets, dataset)[1] == ("two", None)


def test_what_people_decided_is_not_undone_by_feedback(
    add: Any, call: MakeCall, datasets: Datasets, dataset: Dataset, operator: Actor
) -> None:
    entry = call("a", "one")
    add(entry)
    example = datasets.examples(dataset.id)[0]
    datasets.set_output(operator, example.id, "decided")
    entry.correction = "some user's idea"
    add(entry)
    assert rows(datasets, dataset) == [("decided", None)]


def test_a_prompt_taken_out_by_hand_stays_out(
    add: Any, call: MakeCall, datasets: Datasets, dataset: Dataset, operator: Actor
) -> None:
    add(call("a", "one"))
    datasets.exclude(operator, [datasets.examples(dataset.id)[0].id])
    add(call("a", "two"))
    assert [reason for _, reason in rows(datasets, dataset)] == ["by_hand", "duplicate"]


def test_excluded_examples_stay_and_can_come_back(
    add: Any, call: MakeCall, datasets: Datasets, dataset: Dataset, operator: Actor
) -> None:
    entry = call("a", "one")
    add(entry)
    example = datasets.examples(dataset.id)[0]
    datasets.exclude(operator, [example.id], "off_topic")
    assert datasets.summary(dataset.id).excluded == {"off_topic": 1}
    assert datasets.include(operator, [example.id]) == 1
    add(entry)
    assert rows(datasets, dataset) == [("one", None)]


def test_correcting_an_answer_verifies_it_and_takes_back_the_objection(
    add: Any, call: MakeCall, datasets: Datasets, dataset: Dataset, operator: Actor
) -> None:
    add(call("a", "", status="error"))
    example = datasets.set_output(operator, datasets.examples(dataset.id)[0].id, "right")
    assert (example.output_source, example.verified, example.excluded) == ("people", True, None)
    with pytest.raises(InvalidInput, match="empty"):
        datasets.set_output(operator, example.id, "  ")


def test_the_summary_counts_by_split_source_and_reason(filled: Dataset, datasets: Datasets, operator: Actor) -> None:
    golden = datasets.examples(filled.id, split="golden")
    datasets.set_output(operator, golden[0].id, "{}")
    datasets.exclude(operator, [golden[1].id])
    summary = datasets.summary(filled.id)
    assert summary.included == 119
    assert (summary.golden, summary.verified_golden, summary.corrections) == (len(golden) - 1, 1, 1)
    assert summary.excluded == {"by_hand": 1} and summary.left_out == 1


def test_examples_are_found_by_text_split_state_and_page(filled: Dataset, datasets: Datasets, operator: Actor) -> None:
    first = datasets.examples(filled.id, limit=50)
    second = datasets.examples(filled.id, after=first[-1].id, limit=100)
    assert len(first) == 50 and len(second) == 70 and not {row.id for row in first} & {row.id for row in second}
    assert len(datasets.examples(filled.id, text="the AMBER birch")) == 1
    assert datasets.examples(filled.id, text="100%") == []
    datasets.exclude(operator, [first[0].id])
    assert [row.id for row in datasets.examples(filled.id, excluded=True)] == [first[0].id]
    assert len(datasets.examples(filled.id, excluded=False, limit=500)) == 119


def test_text_outside_ascii_is_found_in_prompts(add: Any, call: MakeCall, datasets: Datasets, dataset: Dataset) -> None:
    add(call("Où est ma commande ?", "ok"))
    assert len(datasets.examples(dataset.id, text="Où est ma")) == 1


def test_viewers_may_look_but_not_change(filled: Dataset, datasets: Datasets, viewer: Actor) -> None:
    example = datasets.examples(filled.id)[0]
    for verb in (
        lambda: datasets.create(viewer, filled.project_id, "mine"),
        lambda: datasets.exclude(viewer, [example.id]),
        lambda: datasets.set_output(viewer, example.id, "x"),
        lambda: datasets.freeze_now(viewer, filled.id),
    ):
        with pytest.raises(NotAllowed):
            verb()
    assert len(datasets.examples(filled.id, limit=500)) == 120


def test_labelers_may_correct_answers(filled: Dataset, datasets: Datasets, sign_in: Callable[[Role], Actor]) -> None:
    example = datasets.examples(filled.id)[0]
    assert datasets.set_output(sign_in(Role.LABELER), example.id, "x").verified


def test_a_dataset_has_a_name_of_its_own(
    datasets: Datasets, dataset: Dataset, project: Project, operator: Actor
) -> None:
    with pytest.raises(Conflict, match="plain"):
        datasets.create(operator, project.id, " plain ")
    with pytest.raises(InvalidInput):
        datasets.create(operator, project.id, "")
    with pytest.raises(NotFound):
        datasets.get("nothing")

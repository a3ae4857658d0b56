"""A frozen version is immutable, content-addressed and free of leaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Dataset, Example, LogEntry
from studio.access.actor import Actor
from studio.curate.datasets import Datasets
from studio.curate.kto import read_judged
from studio.curate.leakage import leaks, normalised
from studio.curate.snapshot import Row, read_version
from studio.errors import InvalidInput, NotFound

MakeCall = Callable[..., LogEntry]


def test_a_version_holds_every_example_that_is_in(
    filled: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor
) -> None:
    examples = datasets.examples(filled.id, limit=500)
    datasets.exclude(operator, [examples[0].id])
    version = datasets.freeze_now(operator, filled.id, "first")
    data = read_version(artifacts, version.digest)
    assert {row.example_id for row in data.train + data.golden} == {row.id for row in examples[1:]}
    assert (len(data.train), len(data.golden)) == (version.train_rows, version.golden_rows)
    assert all(row.split == "golden" for row in data.golden) and all(row.split == "train" for row in data.train)
    assert data.train[0].messages[0] == {"role": "system", "content": "Triage."}


def test_freezing_the_same_content_gives_the_same_version(filled: Dataset, datasets: Datasets, operator: Actor) -> None:
    first = datasets.freeze_with_facts(operator, filled.id)
    again = datasets.freeze_with_facts(operator, filled.id)
    assert again.version.id == first.version.id and not again.is_new
    assert "Nothing changed" in again.note
    assert len(datasets.versions(filled.id)) == 1


def test_later_corrections_leave_a_frozen_version_as_it_was(
    filled: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor
) -> None:
    first = datasets.freeze_now(operator, filled.id)
    before = read_version(artifacts, first.digest)
    example = datasets.examples(filled.id, split="golden")[0]
    datasets.set_output(operator, example.id, '{"category": "account"}')
    second = datasets.freeze_now(operator, filled.id)
    assert read_version(artifacts, first.digest) == before
    assert (second.number, second.parent_id, second.verified_golden_rows) == (2, first.id, 1)
    assert [row.example_id for row in read_version(artifacts, second.digest).verified_golden] == [example.id]


def test_the_diff_to_the_parent_counts_added_removed_and_changed(
    filled: Dataset, datasets: Datasets, operator: Actor, call: MakeCall
) -> None:
    assert datasets.freeze_now(operator, filled.id).stats["diff"] == {"added": 120, "removed": 0, "changed": 0}
    rows = datasets.examples(filled.id)
    datasets.exclude(operator, [rows[0].id])
    datasets.set_output(operator, rows[1].id, "{}")
    datasets.add_entries(operator, filled.id, [call("an entirely new ticket", "{}")])
    stats = datasets.freeze_now(operator, filled.id).stats
    assert stats["diff"] == {"added": 1, "removed": 1, "changed": 1}
    assert stats["excluded"] == {"by_hand": 1}
    assert stats["output_sources"] == {"model": 119, "people": 1}


def test_going_back_to_earlier_content_gives_back_the_earlier_version(
    filled: Dataset, datasets: Datasets, operator: Actor
) -> None:
    first = datasets.freeze_now(operator, filled.id)
    row = datasets.examples(filled.id)[0]
    datasets.exclude(operator, [row.id])
    datasets.freeze_now(operator, filled.id)
    datasets.include(operator, [row.id])
    assert datasets.freeze_now(operator, filled.id).id == first.id


def test_training_rows_that_nearly_repeat_a_golden_prompt_are_held_back(
    filled: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor, call: MakeCall, database: Database
) -> None:
    golden = datasets.examples(filled.id, split="golden")[0].messages[1]["content"]
    twins = [f"{golden.upper()}  ", golden.replace(" ", "  "), f" {golden}"]
    datasets.add_entries(operator, filled.id, [call(text, '{"category": "returns"}') for text in twins])
    version = datasets.freeze_now(operator, filled.id)
    data = read_version(artifacts, version.digest)
    assert leaks(data.train, data.golden) == []
    left_out = datasets.examples(filled.id, excluded="leak")
    assert left_out and all(row.split == "train" for row in left_out)
    assert version.stats["leaked"] == len(left_out)


def test_prompts_that_differ_only_in_numbers_case_and_spaces_are_near_duplicates() -> None:
    def text(content: str) -> str:
        return normalised([{"role": "user", "content": content}])

    assert text("Order 1234 is  late") == text("order 98 is late")
    assert text("Order 1234 is late") != text("Order 1234 is lost")


def test_the_same_prompt_in_both_splits_is_found_at_training_too() -> None:
    row = Row("e", [{"role": "user", "content": "x"}], [], "o", "train", False, "model", "h")
    assert leaks([row], [row]) == ["e"]
    assert leaks([row], []) == []


def test_an_empty_dataset_cannot_be_frozen(dataset: Dataset, datasets: Datasets, operator: Actor) -> None:
    with pytest.raises(InvalidInput, match="nothing to freeze"):
        datasets.freeze_now(operator, dataset.id)


def test_a_version_whose_files_are_gone_says_so(artifacts: Artifacts) -> None:
    with pytest.raises(NotFound, match="backup"):
        read_version(artifacts, "0" * 64)


def test_a_version_is_exported_under_a_safe_name(filled: Dataset, datasets: Datasets, operator: Actor) -> None:
    version = datasets.freeze_now(operator, filled.id)
    name, content = datasets.export(version.id, "openai", "golden")
    assert name == "tickets-v1-golden.openai.jsonl"
    assert len(content.splitlines()) == version.golden_rows


def test_answers_that_users_disliked_are_kept_apart_for_learning_what_not_to_say(
    dataset: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor, call: MakeCall
) -> None:
    calls = [call(f"liked {word}", "yes", rating="up") for word in "abcdefghij"]
    calls += [call(f"disliked {word}", "no", rating="down") for word in "abcdefghij"]
    datasets.add_entries(operator, dataset.id, calls)
    version = datasets.freeze_now(operator, dataset.id)
    data = read_version(artifacts, version.digest)
    assert data.disliked and all(row.output == "no" and row.split == "train" for row in data.disliked)
    assert all(row.output == "yes" for row in data.train)
    assert len(data.train) == version.train_rows
    judged = [each.label for each in read_judged(artifacts, version.digest)]
    assert (judged.count(True), judged.count(False)) == (len(data.train), len(data.disliked))
    assert version.stats["kto"] == {"desirable": len(data.train), "undesirable": len(data.disliked)}


def test_a_disliked_answer_to_a_golden_prompt_is_not_kept(
    filled: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor
) -> None:
    golden = {row.messages[-1]["content"] for row in datasets.examples(filled.id, split="golden", limit=500)}
    known = datasets.examples(filled.id, split="train", limit=500)
    with datasets.database.write() as session:
        copied = session.get_one(Example, known[0].id)
        copied.messages = [*copied.messages[:-1], {**copied.messages[-1], "content": min(golden)}]
        copied.rating, copied.excluded = "down", "thumbs_down"
        mild = session.get_one(Example, known[1].id)
        mild.rating, mild.excluded = "down", "thumbs_down"
    data = read_version(artifacts, datasets.freeze_now(operator, filled.id).digest)
    assert [row.example_id for row in data.disliked] == [known[1].id]

"""Frozen preference pairs: streamed beside the rows, golden ones apart, older versions still read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import delete

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Dataset, Example, LogEntry, PreferencePair
from studio.access.actor import Actor
from studio.curate.datasets import Datasets
from studio.curate.kto import kto_rows
from studio.curate.pairs import Pair, read_pairs
from studio.curate.snapshot import SCHEMA, read_version

MakeCall = Callable[..., LogEntry]
Prefer = Callable[..., None]
FORMAT_1 = Path(__file__).parent / "format1"
"""The files of a version as the first release wrote them."""


@pytest.fixture
def prefer(database: Database) -> Prefer:
    def make(example: Example, chosen: str, rejected: str, **facts: object) -> None:
        with database.write() as session:
            session.add(
                PreferencePair(
                    dataset_id=example.dataset_id, example_id=example.id, chosen=chosen, rejected=rejected, **facts
                )
            )

    return make


def test_pairs_are_frozen_with_prompt_votes_and_names(
    filled: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor, prefer: Prefer
) -> None:
    ranked, corrected = datasets.examples(filled.id, split="train")[:2]
    prefer(ranked, "good", "bad", votes=2, against=1, decided_by="mia, noah")
    datasets.set_output(operator, corrected.id, '{"category": "account"}')
    version = datasets.freeze_now(operator, filled.id)
    assert list(read_pairs(artifacts, version.digest)) == [
        Pair(ranked.id, ranked.messages, [], "good", "bad", "ranking", 2, 1, "mia, noah", "train"),
        Pair(
            corrected.id, corrected.messages, [], '{"category": "account"}', corrected.original_output,
            "correction", 1, 0, operator.username, "train",
        ),
    ]  # fmt: skip
    assert version.stats["pairs"] == {"golden": {}, "train": {"ranking": 1, "correction": 1}}
    assert version.stats["kto"] == {"undesirable": 1, "desirable": 1}
    assert version.stats["decided_by"] == {operator.username: 1}


def test_pairs_of_golden_prompts_are_kept_out_of_training(
    filled: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor, prefer: Prefer
) -> None:
    golden, train = (datasets.examples(filled.id, split=split)[0] for split in ("golden", "train"))
    prefer(golden, "good", "bad")
    prefer(train, "good", "bad")
    digest = datasets.freeze_now(operator, filled.id).digest
    assert [pair.example_id for pair in read_pairs(artifacts, digest)] == [train.id]
    assert [(pair.example_id, pair.split) for pair in read_pairs(artifacts, digest, "golden")] == [
        (golden.id, "golden")
    ]


def test_pairs_of_rows_that_leak_or_are_left_out_are_not_frozen(
    filled: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor, call: MakeCall, prefer: Prefer
) -> None:
    golden = datasets.examples(filled.id, split="golden")[0].messages[1]["content"]
    twins = [f"{golden.upper()}  ", golden.replace(" ", "  "), f" {golden}"]
    datasets.add_entries(operator, filled.id, [call(text, '{"category": "returns"}') for text in twins])
    rows = datasets.examples(filled.id, split="train", limit=500)
    for row in rows:
        prefer(row, "good", "bad")
    datasets.exclude(operator, [rows[0].id])
    version = datasets.freeze_now(operator, filled.id)
    leaked = {row.id for row in datasets.examples(filled.id, excluded="leak")}
    assert leaked
    assert {pair.example_id for pair in read_pairs(artifacts, version.digest)} == (
        {row.id for row in rows} - leaked - {rows[0].id}
    )


def test_a_new_preference_makes_a_new_version_and_the_same_preferences_the_same(
    filled: Dataset, datasets: Datasets, operator: Actor, prefer: Prefer, database: Database
) -> None:
    first, example = datasets.freeze_now(operator, filled.id), datasets.examples(filled.id, split="train")[0]
    for chosen in ("good", "fair"):
        prefer(example, chosen, "bad")
    second = datasets.freeze_now(operator, filled.id)
    with database.write() as session:
        session.exec(delete(PreferencePair))
    for chosen in ("fair", "good"):
        prefer(example, chosen, "bad")
    again = datasets.freeze_now(operator, filled.id)
    assert first.digest != second.digest and again.id == second.id
    assert second.stats["diff"] == {"added": 0, "removed": 0, "changed": 0}


def test_more_pairs_than_a_row_group_are_all_there_in_order(
    dataset: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor, database: Database
) -> None:
    with database.write() as session:
        for number in range(2100):
            letters = "".join("abcdefghij"[int(digit)] for digit in str(number))
            prompt = [{"role": "user", "content": letters}]
            row = Example(
                dataset_id=dataset.id, messages=prompt, output="x", original_output="y", output_source="people",
                prompt_hash=letters, verified=True,
            )  # fmt: skip
            session.add(row)
    digest = datasets.freeze_now(operator, dataset.id).digest
    pairs = list(read_pairs(artifacts, digest))
    assert [pair.messages for pair in pairs] == [row.messages for row in read_version(artifacts, digest).train]
    assert len(pairs) == 2100


def test_a_version_of_the_first_format_is_still_read_and_its_corrections_are_its_pairs(artifacts: Artifacts) -> None:
    digest = artifacts.save_folder(FORMAT_1, {"kind": "dataset", "format": 1})
    data = read_version(artifacts, digest)
    assert [row.output_source for row in data.train] == ["people", "model", "correction"]
    assert all(row.decided_by == row.decided_how == "" and row.rated is None for row in data.train + data.golden)
    pairs = list(read_pairs(artifacts, digest))
    assert [(pair.example_id, pair.chosen, pair.rejected) for pair in pairs] == [
        (data.train[0].example_id, '{"category":"returns"}', '{"category":"billing"}')
    ]
    assert [pair.example_id for pair in read_pairs(artifacts, digest, "golden")] == [data.golden[0].example_id]
    assert [(each.label, each.source) for each in kto_rows(data.train)] == [
        (False, "correction"), (True, "correction"), (True, "thumbs"),
    ]  # fmt: skip


def test_the_first_formats_version_is_the_parent_of_the_next_without_changes_it_did_not_have(
    dataset: Dataset, datasets: Datasets, artifacts: Artifacts, operator: Actor, database: Database
) -> None:
    from storage.tables import DatasetVersion

    digest = artifacts.save_folder(FORMAT_1, {"kind": "dataset", "format": 1})
    data = read_version(artifacts, digest)
    own = [name for name in SCHEMA.names if name not in ("example_id", "decided_by", "decided_how", "rated")]
    with database.write() as session:
        session.add(DatasetVersion(dataset_id=dataset.id, number=1, digest=digest, train_rows=3, golden_rows=2))
        for row in data.train + data.golden:
            facts = {name: getattr(row, name) for name in own}
            session.add(Example(id=row.example_id, dataset_id=dataset.id, **facts))
    version = datasets.freeze_now(operator, dataset.id)
    assert (version.number, version.stats["diff"]) == (2, {"added": 0, "removed": 0, "changed": 0})

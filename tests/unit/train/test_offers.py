from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.database import Database
from storage.tables import DatasetVersion, Model, Project, Provider
from studio.curate.snapshot import Row
from studio.train.methods import METHODS
from studio.train.methods.offers import Holdings, Offer, offers_of
from studio.train.runs import Training
from tests.fakes.frozen_rows import make_row

Freeze = Callable[[list[Row], list[Row]], DatasetVersion]


def offer(name: str, *, rows: int = 0, pairs: int = 0, up: int = 0, down: int = 0, teacher: bool = True) -> Offer:
    offers = offers_of(Holdings(rows, pairs, up, down), teacher)
    return next(each for each in offers if each.method.name == name)


def test_every_method_is_offered_or_says_what_is_missing() -> None:
    offers = offers_of(Holdings(0, 0, 0, 0), has_teacher=False)
    assert [each.method.name for each in offers] == list(METHODS)
    assert all(not each.available and each.why_not.endswith(".") for each in offers)


def test_too_few_pairs_name_the_number_and_the_page() -> None:
    found = offer("dpo", pairs=4)
    assert not found.available
    assert found.sentence == (
        "4 pairs; DPO wants 200: rank or correct more answers, then freeze a new version on Label."
    )


def test_a_start_is_possible_below_what_is_wanted_and_says_so() -> None:
    found = offer("dpo", pairs=42)
    assert found.available and found.hint.startswith("42 pairs; DPO wants 200:")
    assert offer("dpo", pairs=900).sentence == "900 pairs to learn from."


def test_one_row_is_a_row_not_rows() -> None:
    assert offer("sft", rows=1).sentence.startswith("1 row; SFT wants 100")


def test_thumbs_of_one_kind_only_teach_nothing() -> None:
    assert "All judged answers are wanted" in offer("kto", up=300).why_not
    assert "All judged answers are unwanted" in offer("kto", down=300).why_not
    assert offer("kto", up=150, down=150).available


def test_distillation_wants_a_bigger_model() -> None:
    assert "Settings, Providers" in offer("distil", rows=900, teacher=False).why_not
    assert offer("distil", rows=900).available


@pytest.fixture
def counted(database: Database, version: DatasetVersion) -> DatasetVersion:
    stats: dict[str, Any] = {"pairs": {"train": {"ranking": 30, "correction": 12}, "golden": {"ranking": 5}}}
    stats["kto"] = {"desirable": 20, "undesirable": 20}
    with database.write() as session:
        stored = session.get_one(DatasetVersion, version.id)
        stored.stats, stored.train_rows = stats, 100_000
    return stored


def test_offers_come_from_statistics_and_read_no_row(training: Training, counted: DatasetVersion) -> None:
    training.artifacts.fs.rm(training.artifacts.root, recursive=True)
    have = {each.method.name: each.have for each in training.offers(counted.id)}
    assert (have["sft"], have["dpo"], have["kto"], have["grpo"]) == (100_000, 42, 40, 100_000)


def test_a_version_from_before_there_were_statistics_is_counted(training: Training, freeze: Freeze) -> None:
    corrected = [
        make_row(f"ticket {word}", "right", original_output="wrong", output_source="people", verified=True)
        for word in "abcdefghij"
    ]
    have = {each.method.name: each.have for each in training.offers(freeze(corrected, []).id)}
    assert (have["dpo"], have["kto"]) == (10, 20)


def test_a_teacher_is_a_provider_s_model_of_the_project(
    training: Training, version: DatasetVersion, database: Database, project: Project
) -> None:
    def distil() -> Offer:
        return next(each for each in training.offers(version.id) if each.method.name == "distil")

    assert not distil().available
    with database.write() as session:
        session.add(Model(project_id=project.id, name="without an address", kind="provider"))
    assert not distil().available
    with database.write() as session:
        there = Provider(project_id=project.id, name="big", base_url="http://127.0.0.1:9/v1")
        session.add(there)
        session.flush()
        session.add(Model(project_id=project.id, name="big", kind="provider", provider_id=there.id))
    assert distil().available

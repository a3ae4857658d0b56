"""The human ceiling is held against the metric it is about, with its n and interval."""

from __future__ import annotations

from typing import Any

import pytest

from storage.tables import HumanCeiling, LabelTask
from studio.cli.report import comparison_table
from studio.evaluate.ceiling import Ceiling, widest
from studio.scoring.statistics import Estimate


def task(template: str = "verdict", name: str = "Golden set", **options: Any) -> LabelTask:
    return LabelTask(dataset_id="d", name=name, template=template, spec={"options": options})


def measured(question: str, percent: float = 92.0, n: int = 60) -> HumanCeiling:
    return HumanCeiling(
        dataset_id="d", task_id="t", question=question, percent=percent, n=n, value=0.8, low=0.7, high=0.9
    )


def test_agreement_on_the_output_is_the_ceiling_of_exact_match_with_wilsons_interval() -> None:
    (found,) = widest([(measured("verdict"), task()), (measured("output"), task()), (measured("rating"), task())])
    assert (found.metric, found.task, found.anchored, found.estimate.n) == ("exact_match", "Golden set", True, 60)
    assert (found.estimate.mean, found.estimate.low, found.estimate.high) == pytest.approx(
        (0.92, 0.819, 0.964), abs=1e-3
    )


def test_agreement_on_one_field_is_the_ceiling_of_that_field_only() -> None:
    (found,) = widest([(measured("label"), task("pick_label", field="category"))])
    assert found.metric == "field:category" and not found.anchored
    (found,) = widest([(measured("label"), task("pick_label"))])
    assert found.metric == "exact_match"


def test_of_several_tasks_the_one_with_most_examples_counts_and_of_equal_ones_the_newest() -> None:
    rows = [(measured("output", n=20), task(name="new")), (measured("output", n=60), task(name="large"))]
    rows += [(measured("output", n=60), task(name="old"))]
    assert [each.task for each in widest(rows)] == ["large"]
    assert widest([(measured("output", n=0), task())]) == []


def test_the_sentence_says_what_it_is_measured_on_and_how_surely() -> None:
    (found,) = widest([(measured("output"), task())])
    assert "equal answers for 92 % of the examples of “Golden set” (95 % interval 82 to 96, n=60)" in found.sentence
    assert "started from a model's answer" in found.sentence
    (field,) = widest([(measured("label"), task("pick_label", field="category"))])
    assert "the same “category” for 92 %" in field.sentence and "started" not in field.sentence


def test_people_who_never_differed_set_no_limit() -> None:
    (found,) = widest([(measured("output", percent=100.0, n=24), task())])
    assert "Nobody differed" in found.sentence and "Do not expect" not in found.sentence


def test_the_commands_table_ends_with_the_people() -> None:
    share = {"mean": 0.9, "low": 0.8, "high": 0.95, "n": 60}
    facts = {
        "name": "small", "n": 60, "exact_match": share, "valid_json": share, "fields": {"category": share},
        "latency_ms": {"p50": 12.0}, "cost_basis": "local", "cost_usd_per_1k": 0.0,
    }  # fmt: skip
    ceilings = [
        Ceiling("exact_match", "Golden set", Estimate(0.92, 0.86, 0.97, 60), False),
        Ceiling("field:category", "Categories", Estimate(0.99, 0.9, 1.0, 40), False),
    ]
    columns, rows = comparison_table({"models": {"m": facts}}, ceilings)
    assert rows[-1] == ["two people agree", "60", "92 % (86–97)", "–", "99 %", "–", "–"]
    assert len(rows[-1]) == len(columns) and len(rows) == 2
    assert len(comparison_table({"models": {"m": facts}})[1]) == 1

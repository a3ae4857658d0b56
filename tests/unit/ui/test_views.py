"""What Home and Settings say: the next best step, figures against the week before, formats, provider tables."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from storage.tables import Provider
from studio.capture.logs import Totals
from studio.jobs.catalog import HANDLERS
from studio.ui.figures import minus, week_figures
from studio.ui.formats import milliseconds, money, percent, plain, short_number, span
from studio.ui.loop import PAGE_OF_JOB, LoopFacts, loop_steps
from studio.ui.settings.provider_form import model_table, models_and_prices
from studio.ui.statuses import status_look


def next_page(facts: LoopFacts) -> str:
    (page,) = [step.page for step in loop_steps(facts) if step.state == "next"]
    return page


@pytest.mark.parametrize(
    ("facts", "page"),
    [
        (LoopFacts(), "capture"),
        (LoopFacts(calls=10), "curate"),
        (LoopFacts(calls=10, datasets=1), "curate"),
        (LoopFacts(calls=10, versions=1), "label"),
        (LoopFacts(calls=10, versions=1, tasks=1), "label"),
        (LoopFacts(calls=10, versions=2, verified_rows=60), "train"),
        (LoopFacts(calls=10, versions=1, runs=1, tuned=1), "evaluate"),
        (LoopFacts(calls=10, versions=1, tuned=1, finished_evaluations=1), "deploy"),
        (LoopFacts(calls=10, versions=1, tuned=1, finished_evaluations=1, tuned_share=20), "improve"),
        (LoopFacts(versions=1), "label"),
    ],
)
def test_there_is_exactly_one_next_step_and_it_follows_the_furthest_done(facts: LoopFacts, page: str) -> None:
    assert next_page(facts) == page


def test_a_step_that_a_job_works_on_says_so() -> None:
    steps = {step.page: step for step in loop_steps(LoopFacts(calls=1, busy=frozenset({"curate"})))}
    assert steps["curate"].busy and steps["curate"].button == "See progress"
    assert not steps["capture"].busy


def test_every_kind_of_job_belongs_to_a_step() -> None:
    assert set(PAGE_OF_JOB) == set(HANDLERS)


def test_facts_are_counted_in_words() -> None:
    facts = LoopFacts(calls=12_345, versions=1, train_rows=1610, golden_rows=182, tuned=1, tuned_share=20)
    said = {step.page: step.fact for step in loop_steps(facts)}
    assert said["capture"] == "12.3k calls" and said["curate"] == "1,610 + 182 golden"
    assert said["train"] == "1 tuned model" and said["deploy"] == "20% tuned" and said["label"] == "No task yet"


def test_the_week_before_is_what_the_longer_span_has_more() -> None:
    fortnight = Totals(calls=300, errors=9, cost_usd=3.0, mean_latency_ms=200.0)
    week = Totals(calls=100, errors=1, cost_usd=2.0, mean_latency_ms=400.0)
    before = minus(fortnight, week)
    assert (before.calls, before.errors, before.cost_usd, before.mean_latency_ms) == (200, 8, 1.0, 100.0)
    figures = {figure.label: figure for figure in week_figures(week, before)}
    assert figures["Calls"].change == "-50%" and figures["Spend"].change == "+100%"
    assert figures["Errors"].value == "1.0%" and figures["Errors"].change == "-3.0 pts"
    assert figures["Mean latency"].change == "+300 ms"


def test_without_a_week_before_nothing_is_compared_and_nothing_is_nan() -> None:
    week = Totals(calls=10, errors=1, cost_usd=0.0, mean_latency_ms=10)
    assert [figure.change for figure in week_figures(week, minus(week, week))] == [None] * 4
    assert [figure.value for figure in week_figures(Totals(), Totals())] == ["0", "–", "–", "$0"]


def test_a_change_that_rounds_to_nothing_is_neutral() -> None:
    week = Totals(calls=1000, errors=10, cost_usd=5.0, mean_latency_ms=100.0)
    almost = Totals(calls=1001, errors=10, cost_usd=5.001, mean_latency_ms=100.2)
    assert [figure.change for figure in week_figures(week, almost)] == [0, 0, 0, 0]


def test_numbers_are_short_and_readable() -> None:
    assert [short_number(n) for n in (0, 9_999, 12_345, 4_500_000)] == ["0", "9,999", "12.3k", "4.5M"]
    assert [money(n) for n in (0, 0.0042, 12.3, 1234.5)] == ["$0", "$0.0042", "$12.30", "$1,234"]
    assert [span(n) for n in (-1, 45, 720, 7200, 200_000)] == ["0 s", "45 s", "12 min", "2 h", "2 d"]
    assert percent(0.0314) == "3.1%" and [milliseconds(n) for n in (340.4, 1234)] == ["340 ms", "1.2 s"]


@pytest.mark.parametrize("hostile", ["![x](http://e/p.png)", "<img src=x>", ":red[x]", "`x`", "$$x$$", "[a](b)", "# x"])
def test_foreign_text_is_never_markup(hostile: str) -> None:
    escaped = plain(hostile)
    assert escaped != hostile and escaped.replace("\\", "") == hostile
    assert not any(escaped[i] in "[]<>`$#:!" and escaped[i - 1] != "\\" for i in range(len(escaped)))


def test_a_status_looks_the_same_everywhere() -> None:
    assert status_look("succeeded")[0] == status_look("ready")[0] == "green"
    assert status_look("failed")[0] == "red" and status_look("no such word")[0] == "gray"


def test_an_edited_table_of_models_becomes_models_and_prices() -> None:
    table = pd.DataFrame(
        [(" gpt-small ", 0.1, 0.4), ("gpt-free", None, None), (None, 1.0, 1.0), ("half", 2.0, math.nan)],
        columns=["Model", "Prompt", "Completion"],
    )
    models, prices = models_and_prices(table)
    assert models == ["gpt-small", "gpt-free", "half"]
    assert prices == {"gpt-small": {"prompt": 0.1, "completion": 0.4}, "half": {"prompt": 2.0}}
    provider = Provider(project_id="p", name="n", base_url="http://x", models=models, prices=prices)
    assert models_and_prices(model_table(provider)) == (models, prices)
    assert models_and_prices(model_table(None)) == (["*"], {})

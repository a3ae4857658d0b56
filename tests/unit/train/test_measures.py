from __future__ import annotations

import pytest

from studio.train.measures import first_metric, interval, measure, paired, scorers_of, values_of

JSON = '{"light": true}'


def test_the_usual_three_scorers_measure_a_task_of_wholly_right_answers() -> None:
    measured = measure(scorers_of({"name": "exact"}), [JSON, "no", '{ "light": 1 }'], [JSON] * 3)
    assert first_metric(measured) == "exact_match"
    assert measured["exact_match"]["mean"] == pytest.approx(1 / 3) and measured["exact_match"]["n"] == 3
    assert measured["valid_json"]["mean"] == pytest.approx(2 / 3)
    assert not any(name.startswith("field:") for name in measured)


def test_a_named_scorer_stands_alone() -> None:
    assert list(measure(scorers_of({"name": "length"}), ["ab"], ["abcd"])) != ["exact_match"]


def test_right_or_wrong_gets_wilson_s_interval_and_other_values_a_bootstrap_s() -> None:
    assert interval([1.0] * 10) == {"mean": 1.0, "low": pytest.approx(0.722, abs=1e-3), "high": 1.0, "n": 10}
    other = interval([0.2, 0.4, 0.9])
    assert other["low"] < other["mean"] < other["high"]
    assert interval([])["n"] == 0


def test_two_models_are_compared_row_by_row() -> None:
    scorers = scorers_of({})
    after, before = (values_of(scorers, [text] * 12, [JSON] * 12, "exact_match") for text in (JSON, "no"))
    found = paired(after, before)
    assert found["shown"] and found["difference"] == 1 and (found["wins"], found["losses"]) == (12, 0)

from __future__ import annotations

import numpy as np
import pytest

from studio.train.rehearse.power_law import Gain, fit, next_gain
from studio.train.rehearse.worth import sentence, worth

SIZES = (250, 500, 1000)


def planted(a: float, b: float, c: float, rows: int, seed: int = 0) -> list[list[float]]:
    """Wrong or right for each held-out row, as often as the law says; a row that is hard stays hard."""
    hardness = np.random.default_rng(seed).random(rows)
    return [(hardness < a * size**-b + c).astype(float).tolist() for size in SIZES]


@pytest.mark.parametrize("exponent", [0.2, 0.35, 0.5, 1.0])
def test_a_planted_exponent_is_found(exponent: float) -> None:
    errors = [2.0 * size**-exponent + 0.01 for size in SIZES]
    law = fit(SIZES, errors)
    assert law.b == pytest.approx(exponent, rel=0.05) and law.c == pytest.approx(0.01, abs=0.005)
    assert law.at(4000) == pytest.approx(2.0 * 4000**-exponent + 0.01, rel=0.06)


def test_the_floor_is_never_negative_and_a_flat_curve_gains_nothing() -> None:
    assert fit(SIZES, [0.4, 0.1, 0.0]).c == 0.0
    assert fit(SIZES, [0.3, 0.3, 0.3]).gain(1000, 100) == pytest.approx(0, abs=1e-9)


def test_more_labels_that_make_it_worse_are_a_loss() -> None:
    assert fit(SIZES, [0.1, 0.2, 0.3]).gain(1000, 100) < 0


def test_a_clear_fall_brings_a_gain_whose_interval_holds_the_truth() -> None:
    found = next_gain(SIZES, planted(8.0, 0.5, 0.02, 2000), 100)
    truth = 8.0 * (1000**-0.5 - 1100**-0.5)
    assert not found.hidden and found.low <= truth <= found.high


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    truth = 6.0 * (1000**-0.5 - 1100**-0.5)
    gains = [next_gain(SIZES, planted(6.0, 0.5, 0.05, 800, seed), 100) for seed in range(24)]
    assert sum(gain.low <= truth <= gain.high for gain in gains) >= 20


def test_noise_is_hidden() -> None:
    source = np.random.default_rng(3)
    noise = [(source.random(40) < 0.3).astype(float).tolist() for _ in SIZES]
    found = next_gain(SIZES, noise, 100)
    assert found.hidden and "cannot be told" in sentence("exact", found, 40)


def test_the_sentence_gives_points_and_their_interval() -> None:
    assert sentence("exact", Gain(0.031, 0.012, 0.05), 200).endswith(
        "turn about 3.1 rows in a hundred right (1.2 to 5.0)."
    )
    assert "did worse" in sentence("exact", Gain(-0.02, -0.04, -0.01), 200)
    assert "loss by about 0.200" in sentence("loss", Gain(0.2, 0.1, 0.3), 200)


def test_the_loss_takes_over_where_no_row_is_ever_right() -> None:
    wrong = planted(8.0, 0.5, 0.02, 400)
    scored = [[{"exact": 0.0, "loss": 1 + value} for value in rows] for rows in wrong]
    by_loss = worth(SIZES, scored)
    assert by_loss["metric"] == "loss" and len(by_loss["points"]) == 3 and not by_loss["hidden"]
    right = [[{"exact": 1 - value, "loss": 1.0} for value in rows] for rows in wrong]
    by_share = worth(SIZES, right)
    assert by_share["metric"] == "exact" and by_share["curve"][-1][0] == 1100
    assert by_share["points"][0]["error"] > by_share["points"][2]["error"]

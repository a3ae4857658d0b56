"""The coefficients against the worked examples published with them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from studio.label.measures import _counts, _nominal_alpha, cohen_kappa, krippendorff_alpha, percent_agreement

N = None
# Krippendorff (2011), section E: four observers, twelve units, missing data; also in Hayes & Krippendorff (2007).
FOUR_OBSERVERS = list(
    zip(
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
        strict=True,
    )
)
# Fleiss, Cohen & Everitt (1969), Psychological Bulletin 72: 200 subjects, three diagnoses; kappa .429.
DIAGNOSES = [[106, 10, 4], [22, 28, 10], [2, 12, 6]]


@pytest.mark.parametrize(("scale", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_four_observers_is_as_published(scale: str, published: float) -> None:
    assert krippendorff_alpha(FOUR_OBSERVERS, scale).value == pytest.approx(published, abs=0.0005)  # type: ignore[arg-type]


def test_alpha_of_two_observers_is_as_published() -> None:
    binary = zip([0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0], strict=True)
    assert krippendorff_alpha(list(binary), "nominal").value == pytest.approx(0.095, abs=0.0005)
    letters = list(zip("aabbdcccedda", "babbbccceddd", strict=True))
    assert krippendorff_alpha(letters, "nominal").value == pytest.approx(0.692, abs=0.0005)


def test_kappa_is_as_published_and_its_interval_is_near_the_analytic_one() -> None:
    rows = [(i, j) for i in range(3) for j in range(3) for _unit in range(DIAGNOSES[i][j])]
    found = cohen_kappa(rows)
    assert found.value == pytest.approx(0.429, abs=0.0005)
    # The paper's standard error is .054: 1.96 of them each side.
    assert found.low == pytest.approx(0.429 - 1.96 * 0.054, abs=0.02)
    assert found.high == pytest.approx(0.429 + 1.96 * 0.054, abs=0.02)


def test_percent_agreement_averages_pairs_and_skips_single_answers() -> None:
    assert percent_agreement([("a", "a"), ("a", "b"), ("a", None)]) == 50
    assert percent_agreement([("a", "a", "b")]) == pytest.approx(100 / 3)
    assert percent_agreement([("a", None)]) is None


def test_without_variation_nothing_can_be_said_beyond_chance() -> None:
    same = [("yes", "yes")] * 10
    assert percent_agreement(same) == 100
    assert cohen_kappa(same).value is None
    assert krippendorff_alpha(same, "nominal").value is None
    assert krippendorff_alpha([], "nominal").value is None and cohen_kappa([]).value is None


def test_perfect_agreement_is_one_and_chance_is_about_zero() -> None:
    rows = [(at % 3, at % 3) for at in range(60)]
    assert cohen_kappa(rows).value == pytest.approx(1) and krippendorff_alpha(rows, "ordinal").value == pytest.approx(1)
    draw = random.Random(1)
    noise = [(draw.randint(1, 5), draw.randint(1, 5)) for _unit in range(2000)]
    assert abs(cohen_kappa(noise).value or 1) < 0.05 and abs(krippendorff_alpha(noise, "interval").value or 1) < 0.06


def test_the_interval_holds_the_value_narrows_with_n_and_repeats_exactly() -> None:
    few, many = FOUR_OBSERVERS, FOUR_OBSERVERS * 20
    small, large = krippendorff_alpha(few, "ordinal"), krippendorff_alpha(many, "ordinal")
    for found in (small, large):
        assert found.low is not None and found.high is not None and found.value is not None
        assert found.low <= found.value <= found.high
    assert (large.high or 0) - (large.low or 0) < (small.high or 0) - (small.low or 0)
    assert krippendorff_alpha(few, "ordinal") == small


def test_a_unit_drawn_twice_counts_as_two_units() -> None:
    units = [[value for value in row if value is not None] for row in FOUR_OBSERVERS]
    units = [unit for unit in units if len(unit) > 1]
    weighted = _nominal_alpha(_counts(units, [1, 2, 3, 4, 5]), np.full((1, len(units)), 2.0))[0]
    assert weighted == pytest.approx(krippendorff_alpha([row for row in FOUR_OBSERVERS for _ in "ab"], "nominal").value)

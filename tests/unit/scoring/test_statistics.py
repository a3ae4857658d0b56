"""The statistics agree with published and analytically known values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio.scoring.proportions import wilson
from studio.scoring.statistics import bootstrap_means, compare, estimate, mcnemar, newcombe, percentile


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17:857-872, table I, method 3 (score without continuity correction).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_newcombes_published_one(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    # Newcombe (1998), Statistics in Medicine 17:873-890, table II, method 10 (hybrid score).
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_the_difference_of_proportions_has_newcombes_published_interval(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    gap, found_low, found_high = newcombe(first, second)
    assert gap == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert (found_low, found_high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 2 / 32),
        (10, 0, 2 / 1024),
        (1, 9, 22 / 1024),
        (6, 16, 0.052479),
        (12, 27, 0.023703),
    ],
)
def test_mcnemars_test_is_the_exact_binomial_one(wins: int, losses: int, p: float) -> None:
    assert mcnemar(wins, losses) == pytest.approx(p, abs=5e-6)
    assert mcnemar(wins, losses) == mcnemar(losses, wins)


def test_the_bootstrap_of_a_proportion_has_the_binomial_spread() -> None:
    means = bootstrap_means([1.0] * 60 + [0.0] * 40)
    assert means.mean() == pytest.approx(0.6, abs=0.002)
    assert means.std() == pytest.approx(math.sqrt(0.6 * 0.4 / 100), rel=0.03)


def test_the_bootstrap_of_many_distinct_values_has_the_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=3000)
    means = bootstrap_means(values.tolist(), resamples=2000)
    assert len(means) == 2000
    assert means.std() == pytest.approx(values.std() / math.sqrt(3000), rel=0.06)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    assert estimate(values, seed=3) == estimate(values, seed=3)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    samples = rng.random((200, 80)) < 0.7
    hits = sum(found.low <= 0.7 <= found.high for found in (estimate(row.astype(float).tolist()) for row in samples))
    assert 0.88 <= hits / 200 <= 0.99


def test_a_perfect_score_does_not_claim_certainty() -> None:
    found = estimate([1.0] * 20)
    assert (found.mean, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(1 - 0.1611, abs=5e-5)
    assert estimate([]).n == 0 and (estimate([]).low, estimate([]).high) == (0.0, 1.0)


def test_a_paired_comparison_counts_wins_losses_and_ties() -> None:
    found = compare([1, 1, 1, 0, 0, 1], [0, 1, 0, 1, 0, 1])
    assert (found.wins, found.losses, found.ties, found.n) == (2, 1, 3, 6)
    assert found.difference == pytest.approx(1 / 6)
    assert not found.shown


def test_a_clear_difference_is_shown_and_pairing_is_what_makes_it_clear() -> None:
    found = compare([1.0] * 15 + [1.0] * 45, [0.0] * 15 + [1.0] * 45)
    assert found.shown and found.p_value == pytest.approx(2 / 2**15)
    assert found.low > 0.1 and found.high < 0.4


def test_a_comparison_without_examples_shows_nothing_and_unequal_sides_are_refused() -> None:
    assert not compare([], []).shown
    with pytest.raises(ValueError, match="same examples"):
        compare([1.0], [])


def test_percentiles_of_nothing_are_zero() -> None:
    assert percentile([], 50) == 0.0
    assert percentile([1, 2, 3], 50) == 2.0

"""The coefficients against the worked examples published with them."""

from __future__ import annotations

import random
from typing import Any

import krippendorff
import numpy as np
import pytest
from scipy.stats import kendalltau

from studio.label.distances import masi, span_distance, tau_b
from studio.label.measures import (
    MOST_VALUES,
    _alpha,
    _Answers,
    cohen_kappa,
    krippendorff_alpha,
    mean_tau,
    percent_agreement,
)

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


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_a_unit_drawn_twice_counts_as_two_units(scale: Any) -> None:
    units = [[value for value in row if value is not None] for row in FOUR_OBSERVERS]
    units = [unit for unit in units if len(unit) > 1]
    values = [1, 2, 3, 4, 5]
    placed = [[value - 1 for value in unit] for unit in units]
    weighted = _alpha(_Answers.of(placed, len(values)), values, scale)(np.full(len(units), 2.0))
    assert weighted == pytest.approx(krippendorff_alpha([row for row in FOUR_OBSERVERS for _ in "ab"], scale).value)


def test_thousands_of_different_texts_need_no_table_of_them() -> None:
    rows = [(f"text {at}", f"text {at}" if at % 4 else "another") for at in range(20_000)]
    kappa, alpha = cohen_kappa(rows, replicates=5), krippendorff_alpha(rows, "nominal", replicates=5)
    assert kappa.value == pytest.approx(0.75, abs=0.001) and alpha.value == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_alpha_equals_the_one_of_the_krippendorff_library(scale: str) -> None:
    draw = random.Random(scale)
    for _table in range(10):
        rows = [[draw.choice([1, 2, 3, 4, 5, None]) for _person in range(3)] for _unit in range(20)]
        matrix = np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=float).T
        library = krippendorff.alpha(matrix, level_of_measurement=scale)
        assert krippendorff_alpha(rows, scale, replicates=2).value == pytest.approx(library, abs=1e-9)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ({"a", "b"}, {"a", "b"}, 0),
        ({"a"}, {"a", "b"}, 1 - 1 / 2 * 2 / 3),
        ({"a", "b"}, {"a", "b", "c", "d"}, 1 - 1 / 2 * 2 / 3),
        ({"a", "b"}, {"b", "c"}, 1 - 1 / 3 * 1 / 3),
        ({"a"}, {"b"}, 1),
        (set(), {"b"}, 1),
        (set(), set(), 0),
    ],
)
def test_masi_weighs_the_overlap_by_how_the_sets_lie(one: set[str], other: set[str], distance: float) -> None:
    """Passonneau (2006): equal 1, one inside the other 2/3, overlapping 1/3, apart 0, times Jaccard's overlap."""
    assert masi(frozenset(one), frozenset(other)) == pytest.approx(distance)
    assert masi(frozenset(other), frozenset(one)) == pytest.approx(distance)


def test_alpha_of_sets_equals_the_library_with_the_same_distance() -> None:
    draw = random.Random(4)
    sets = [frozenset(label for label in "abc" if draw.random() < 0.5) for _set in range(40)]
    values = sorted(set(sets), key=sorted)
    rows = list(zip(sets, [draw.choice([each, draw.choice(values)]) for each in sets], strict=True))

    def distance(one: np.ndarray, other: np.ndarray, **_facts: object) -> np.ndarray:
        return np.vectorize(lambda i, j: masi(values[int(i)], values[int(j)]))(one, other)

    matrix = np.array([[values.index(value) for value in row] for row in rows], dtype=float).T
    domain = list(range(len(values)))
    library = krippendorff.alpha(matrix, level_of_measurement=distance, value_domain=domain)
    assert krippendorff_alpha(rows, "masi", replicates=2).value == pytest.approx(library, abs=1e-9)


def test_tau_equals_scipys_also_with_ties() -> None:
    draw = random.Random(5)
    for _pair in range(50):
        one, other = ([draw.randint(1, 4) for _thing in range(5)] for _person in "ab")
        if len(set(one)) == 1 or len(set(other)) == 1:
            continue
        ranks = [tuple(zip("vwxyz", places, strict=True)) for places in (one, other)]
        assert tau_b(*ranks) == pytest.approx(kendalltau(one, other).statistic)


def test_tau_of_a_textbook_example() -> None:
    """Hollander & Wolfe (1973), Nonparametric Statistical Methods, pages 185-187: tuna's lightness and quality."""
    lightness = [44.4, 45.9, 41.9, 53.3, 44.7, 44.1, 50.7, 45.2, 60.1]
    quality = [2.6, 3.1, 2.5, 5.0, 3.6, 4.0, 5.2, 2.8, 3.8]
    ranks = [tuple(zip("ABCDEFGHI", map(sorted(each).index, each), strict=True)) for each in (lightness, quality)]
    assert tau_b(*ranks) == pytest.approx(0.444, abs=0.0005)


def test_who_ties_everything_agrees_only_with_who_does_so_too() -> None:
    tied, told = (("a", 0), ("b", 0)), (("a", 0), ("b", 1))
    assert tau_b(tied, tied) == 1 and tau_b(tied, told) == 0 and tau_b((("a", 0),), told) is None
    assert mean_tau([(told, told), (told, (("a", 1), ("b", 0))), (told, None)]).value == 0
    assert mean_tau([(told, None)]).value is None


def test_spans_are_as_far_apart_as_their_characters() -> None:
    name = frozenset({(0, 10, "name")})
    assert span_distance(name, name) == 0 and span_distance(frozenset(), frozenset()) == 0
    assert span_distance(name, frozenset({(5, 15, "name")})) == pytest.approx(0.5)
    assert span_distance(name, frozenset({(0, 10, "mail")})) == 1 and span_distance(name, frozenset()) == 1
    assert span_distance(name, frozenset({(0, 4, "name"), (4, 10, "name")})) == 0
    assert span_distance(name, frozenset({(0, 8, "name"), (2, 10, "name")})) == 0


def test_people_who_mark_almost_the_same_agree_beyond_chance() -> None:
    rows = [(frozenset({(at, at + 10, "name")}), frozenset({(at, at + 9, "name")})) for at in range(0, 400, 10)]
    found = krippendorff_alpha(rows, "spans")
    assert found.value is not None and 0.9 < found.value < 1


def test_more_different_answers_than_can_be_compared_are_measured_by_a_sample() -> None:
    rows = [(frozenset({at}), frozenset({at, -1 - at % 2})) for at in range(MOST_VALUES)]
    found = krippendorff_alpha(rows, "masi", replicates=20)
    assert found.value == pytest.approx(1 / 3, abs=0.02) and krippendorff_alpha(rows, "masi", replicates=20) == found

"""Slower means beyond chance and beyond the factor, and the numbers are shown either way."""

import random

from studio.deploy.gates.latency import _against, interval, percentile, slower_by_chance
from studio.deploy.gates.port import LiveFigures

LIVE = LiveFigures("revision 3")


def times(middle: float, seed: int, n: int = 24) -> list[float]:
    chance = random.Random(seed)
    return [middle * chance.lognormvariate(0, 0.25) for _ in range(n)]


def test_percentiles_lie_between_neighbours() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.5 and percentile([7.0], 0.95) == 7.0


def test_equal_servers_are_not_told_apart() -> None:
    refused = [not _against(LIVE, {}, times(200, seed), times(200, 1000 + seed), 1.5)[0] for seed in range(200)]
    assert sum(refused) == 0


def test_one_stall_is_not_slowness() -> None:
    passed, told = _against(LIVE, {}, [*times(200, 1)[:-1], 5000.0], times(200, 2), 1.5)
    assert passed and told["ratio_low"] < 1.5


def test_three_times_as_slow_is_refused_with_both_numbers() -> None:
    passed, told = _against(LIVE, {}, times(600, 1), times(200, 2), 1.5)
    assert not passed and "at revision 3" in told["why"] and told["ratio_low"] > 1.5 and told["p_value"] < 0.001


def test_a_difference_that_nobody_feels_passes() -> None:
    assert _against(LIVE, {}, times(9, 1), times(3, 2), 1.5)[0]


def test_the_interval_holds_the_ratio_and_the_chance_is_one_half_for_the_same() -> None:
    low, high = interval(times(300, 1), times(200, 2))
    assert low < 1.5 < high
    assert slower_by_chance([1.0, 2.0], [1.0, 2.0]) == 0.5

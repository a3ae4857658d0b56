"""The guardrail's judgement: healthy revisions stay, broken and slow ones go, and chance alone hardly ever trips it."""

import math
import os
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.deploy.guardrail import Verdict, allowance, judge
from studio.deploy.histogram import BUCKETS_MS, bucket_of, empty, percentile
from studio.deploy.rules import GuardrailRules
from studio.deploy.traffic import RouteStats
from studio.scoring.proportions import binomial_upper_tail, fisher_upper_tail

RULES = GuardrailRules()
HEALTHY = 2000 if os.environ.get("STUDIO_FULL_PROOF") else 600
EVERY = 10
"""Calls between two looks in the simulations."""


def stats(calls: int, errors: int = 0, latencies: Sequence[float] = ()) -> RouteStats:
    histogram = empty()
    for each in latencies:
        histogram[bucket_of(each)] += 1
    return RouteStats(calls, errors, percentile(histogram, 50), percentile(histogram, 95), histogram=histogram)


def test_nothing_is_said_before_enough_calls() -> None:
    verdict = judge(stats(1000), stats(49, 49), RULES)
    assert verdict == Verdict(False, "49 of 50 calls before anything can be said.")


def test_many_more_errors_than_on_the_live_route_trip_it_with_the_numbers() -> None:
    verdict = judge(stats(940, 3), stats(60, 15), RULES)
    assert verdict.tripped
    assert "15 of 60 calls failed (25.0%), on the live route 3 of 940 (0.3%)" in verdict.sentence
    assert verdict.evidence["rule"] == "errors" and verdict.evidence["p_value"] < 1e-9


def test_trouble_that_both_have_is_not_the_newcomers() -> None:
    assert not judge(stats(500, 200), stats(100, 42), RULES).tripped


def test_one_error_in_fifty_is_within_chance() -> None:
    verdict = judge(stats(1000, 1), stats(50, 1), RULES)
    assert not verdict.tripped and verdict.sentence.endswith("within chance.")


def test_answers_that_take_far_longer_trip_it() -> None:
    usual, slow = [100.0 + n % 40 for n in range(500)], [400.0] * 60
    verdict = judge(stats(500, 0, usual), stats(60, 0, slow), RULES)
    assert verdict.tripped and verdict.evidence["rule"] == "slow" and "60 of 60 answers took longer" in verdict.sentence


def test_a_little_slower_is_allowed_by_the_factor() -> None:
    usual = [100.0 + n % 40 for n in range(500)]
    assert not judge(stats(500, 0, usual), stats(200, 0, [each * 1.3 for each in usual[:200]]), RULES).tripped


def test_alone_it_trips_only_when_surely_more_than_half_of_the_calls_fail() -> None:
    assert not judge(None, stats(60, 30), RULES).tripped
    assert not judge(stats(10), stats(60, 36), RULES).tripped
    assert judge(None, stats(60, 50), RULES).tripped


def test_the_allowance_shrinks_with_every_doubling_so_that_all_looks_together_stay_small() -> None:
    assert [allowance(calls, RULES) for calls in (50, 99, 100, 200)] == pytest.approx(
        [0.001, 0.001, 0.001 / 4, 0.001 / 9]
    )
    assert sum(allowance(50 * 2**doubling, RULES) for doubling in range(60)) < 1.7 * RULES.alpha


@pytest.mark.parametrize("healthy", [0, 1, 3, 100, 5_000])
def test_tails_stay_sound_where_their_first_term_is_too_small_for_a_number(healthy: int) -> None:
    assert binomial_upper_tail(healthy, 100_000, 0.5) == pytest.approx(1.0)
    assert fisher_upper_tail(healthy, 10_000, 90_000, 100_000) == pytest.approx(1.0)
    assert fisher_upper_tail(10_000, 10_000, healthy, 100_000) < 1e-100


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_fishers_test_counts_the_tables_that_are_as_extreme(k1: int, m1: int, k2: int, m2: int) -> None:
    n1, n2, together = k1 + m1, k2 + m2, k1 + k2
    ways = [math.comb(n1, k) * math.comb(n2, together - k) for k in range(k1, min(n1, together) + 1)]
    assert fisher_upper_tail(k1, n1, k2, n2) == pytest.approx(sum(ways) / math.comb(n1 + n2, together), rel=1e-9)


@given(st.integers(0, 30), st.integers(0, 30), st.sampled_from([0.05, 0.5]))
def test_the_binomial_tail_counts_the_ways(successes: int, more: int, share: float) -> None:
    n = successes + more
    ways = sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(successes, n + 1))
    assert binomial_upper_tail(successes, n, share) == pytest.approx(ways, rel=1e-9)


def looks(errors: np.ndarray, times: np.ndarray, live: RouteStats) -> Callable[[], int | None]:
    """The number of calls at which one simulated canary trips; None if it never does."""

    def at() -> int | None:
        for calls in range(RULES.calls, len(errors) + 1, EVERY):
            failed = int(errors[:calls].sum())
            histogram = np.bincount(times[:calls][~errors[:calls]], minlength=len(empty())).tolist()
            if judge(live, RouteStats(calls, failed, histogram=histogram), RULES).tripped:
                return calls
        return None

    return at


def simulated(rng: np.random.Generator, calls: int, error_rate: float, slower: float = 1.0) -> tuple[np.ndarray, ...]:
    """Errors, and buckets of answers whose latencies have a long tail (log-normal)."""
    errors = rng.random(calls) < error_rate
    times = rng.lognormal(math.log(400 * slower), 0.6, calls)
    return errors, np.searchsorted(BUCKETS_MS, times)


def live_route(rng: np.random.Generator, calls: int, error_rate: float) -> RouteStats:
    errors, times = simulated(rng, calls, error_rate)
    return RouteStats(calls, int(errors.sum()), histogram=np.bincount(times[~errors], minlength=len(empty())).tolist())


def test_of_healthy_revisions_looked_at_every_ten_calls_fewer_than_one_in_a_hundred_trips() -> None:
    rng = np.random.default_rng(5)
    tripped = sum(
        looks(*simulated(rng, 500, rate), live_route(rng, 500 if n % 2 else 9500, rate))() is not None
        for n, rate in enumerate(rng.choice([0.0, 0.01, 0.05, 0.2], HEALTHY))
    )
    assert tripped < HEALTHY / 100


def test_one_in_five_failing_instead_of_one_in_a_hundred_is_caught_within_two_hundred_calls() -> None:
    rng = np.random.default_rng(6)
    caught = [looks(*simulated(rng, 200, 0.2), live_route(rng, 2000, 0.01))() for _ in range(100)]
    assert all(caught)


def test_twice_the_latency_is_mostly_caught_within_five_hundred_calls() -> None:
    rng = np.random.default_rng(7)
    caught = [looks(*simulated(rng, 500, 0.01, slower=2.0), live_route(rng, 5000, 0.01))() for _ in range(100)]
    assert sum(each is not None for each in caught) >= 85

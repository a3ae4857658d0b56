"""The guardrail: whether a revision that is new to the traffic does worse than the live one beyond chance. Pure.

Errors are compared by Fisher's exact test, one-sided. Slowness: by definition a twentieth of the live route's answers
take longer than its 95th percentile, so a healthy newcomer has at most that share above `latency_factor` times it;
more of them is judged by the exact binomial tail. Where nobody else has traffic to compare with, a route trips when
surely more than half of its calls fail.

The worker looks every few seconds, and each look is another chance of a false alarm. So the allowance shrinks as calls
grow: alpha in the first doubling of the smallest sample, alpha / 4 in the second, alpha / 9 in the third ... Within a
doubling looks share most of their calls and err together; how often all of them err is measured in the tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from studio.deploy.histogram import above, percentile
from studio.deploy.rules import GuardrailRules
from studio.deploy.traffic import RouteStats
from studio.scoring.proportions import binomial_upper_tail, fisher_upper_tail

SLOW_SHARE = 0.05
HALF = 0.5


@dataclass(frozen=True)
class Verdict:
    """What the guardrail says of one revision now."""

    tripped: bool
    sentence: str
    evidence: dict[str, Any] = field(default_factory=dict)


def judge(live: RouteStats | None, canary: RouteStats, rules: GuardrailRules) -> Verdict:
    """The canary beside the live route, or alone where there is none."""
    if canary.calls < rules.calls:
        return Verdict(False, f"{canary.calls} of {rules.calls} calls before anything can be said.")
    allowed = allowance(canary.calls, rules)
    if live is None or live.calls < rules.calls:
        return alone(canary, allowed)
    errors = _errors(live, canary, allowed)
    return errors if errors.tripped else _slowness(live, canary, rules, allowed, errors)


def allowance(calls: int, rules: GuardrailRules) -> float:
    """How unlikely by chance a difference has to be at this number of calls."""
    doubling = 1 + int(math.log2(max(calls / rules.calls, 1)))
    return rules.alpha / doubling**2


def alone(canary: RouteStats, allowed: float) -> Verdict:
    """Trips when surely more than half of the calls fail."""
    p_value = binomial_upper_tail(canary.errors, canary.calls, HALF)
    evidence = {"rule": "alone", **_counts("canary", canary), "p_value": p_value, "allowed": allowed}
    said = f"{canary.errors} of {canary.calls} calls failed"
    if p_value < allowed:
        return Verdict(True, f"{said}, surely more than half of them (p = {p_value:.1g}).", evidence)
    return Verdict(False, f"{said}; nobody else has enough calls to compare with.", evidence)


def _errors(live: RouteStats, canary: RouteStats, allowed: float) -> Verdict:
    p_value = fisher_upper_tail(canary.errors, canary.calls, live.errors, live.calls)
    evidence = {
        "rule": "errors",
        **_counts("canary", canary),
        **_counts("live", live),
        "p_value": p_value,
        "allowed": allowed,
    }
    said = (
        f"{canary.errors} of {canary.calls} calls failed ({canary.error_rate:.1%}), "
        f"on the live route {live.errors} of {live.calls} ({live.error_rate:.1%})"
    )
    if p_value < allowed:
        return Verdict(True, f"{said}; chance does that with p = {p_value:.1g}.", evidence)
    return Verdict(False, f"{said}: within chance.", evidence)


def _slowness(live: RouteStats, canary: RouteStats, rules: GuardrailRules, allowed: float, fine: Verdict) -> Verdict:
    usual = percentile(live.histogram, 100 * (1 - SLOW_SHARE))
    answers = sum(canary.histogram)
    if usual is None or answers < rules.calls or sum(live.histogram) < rules.calls:
        return fine
    limit = usual * rules.latency_factor
    slow = int(above(canary.histogram, limit))
    p_value = binomial_upper_tail(slow, answers, SLOW_SHARE)
    evidence = fine.evidence | {"slow": slow, "answers": answers, "limit_ms": limit, "slow_p_value": p_value}
    if p_value >= allowed:
        return Verdict(False, fine.sentence, evidence)
    said = (
        f"{slow} of {answers} answers took longer than {limit:,.0f} ms, {rules.latency_factor:g} times the live "
        f"route's 95th percentile; 5 % would be usual (p = {p_value:.1g})."
    )
    return Verdict(True, said, evidence | {"rule": "slow"})


def _counts(name: str, stats: RouteStats) -> dict[str, Any]:
    return {name: {"calls": stats.calls, "errors": stats.errors, "p95_ms": stats.p95_ms}}

"""Latency: p95 against the revision that answers now, asked the same in turn with it.

A handful of calls says little about a 95th percentile, so it fails only when slower beyond chance and beyond a factor:
the whole interval of the ratio is above the factor, and ranks say that one is slower. The interval is shown.
"""

from __future__ import annotations

import math
import random
from functools import partial
from typing import Any

from studio.deploy.client import ServerClient, timed
from studio.deploy.gates.asking import ask_all
from studio.deploy.gates.port import Finding, LiveFigures, Round

ONE_BY_ONE, AT_ONCE, TOKENS = 16, 8, 16
RESAMPLES, TAIL = 500, 0.005
ALPHA = 0.001
UNFELT_MS = 50.0
"""Nobody notices less."""
ALONE = "No other revision answers under this alias yet, so there is nothing to be slower than."
ELSEWHERE = "The gateway measured these on real calls, which are longer or shorter than ours: shown, not judged by."


def latency(judged: Round) -> Finding:
    """Ask both in turn, one by one and then eight at once, and compare."""
    live = judged.subject.live
    messages = [prompt.messages for prompt in judged.subject.golden] or [p.messages for p in judged.subject.smoke]
    if not messages:
        return True, {"note": "There is no prompt to ask."}
    clients = [judged.client, *([live.client] if live and live.client else [])]
    times = _measured(judged, clients, [messages[at % len(messages)] for at in range(ONE_BY_ONE + AT_ONCE)])
    evidence = {"n": len(times[0]), "p50_ms": _ms(times[0], 0.5), "p95_ms": _ms(times[0], 0.95), "max_tokens": TOKENS}
    if live is None:
        return True, evidence | {"note": ALONE}
    if live.client is None:
        told = {"live": live.name, "live_p50_ms": live.p50_ms, "live_p95_ms": live.p95_ms, "live_calls": live.calls}
        return True, evidence | told | {"note": ELSEWHERE}
    return _against(live, evidence, times[0], times[1], judged.subject.latency_factor)


def _measured(judged: Round, clients: list[ServerClient], asked: list[list[dict[str, Any]]]) -> list[list[float]]:
    """Milliseconds per client: each prompt goes to both before the next, and who is first changes."""
    times: list[list[float]] = [[] for _ in clients]
    for at, messages in enumerate(asked[:ONE_BY_ONE]):
        for place in sorted(range(len(clients)), reverse=bool(at % 2)):
            times[place].append(timed(clients[place], messages, TOKENS).milliseconds)
        judged.step((at + 1) / len(asked))
    for place, client in enumerate(clients):
        burst = ask_all(asked[ONE_BY_ONE:], partial(timed, client, max_tokens=TOKENS), lambda _share: None)
        times[place] += [reply.milliseconds for reply in burst]
    judged.step(1.0)
    return times


def _against(
    live: LiveFigures, evidence: dict[str, Any], ours: list[float], theirs: list[float], most: float
) -> Finding:
    low, high = interval(ours, theirs)
    p95, live_p95, chance = percentile(ours, 0.95), percentile(theirs, 0.95), slower_by_chance(ours, theirs)
    told = {
        "live": live.name,
        "live_p50_ms": _ms(theirs, 0.5),
        "live_p95_ms": round(live_p95, 1),
        "ratio": round(p95 / live_p95, 2),
        "ratio_low": round(low, 2),
        "ratio_high": round(high, 2),
        "factor": most,
        "p_value": float(f"{chance:.3g}"),
    }
    if low > most and chance < ALPHA and p95 - live_p95 > UNFELT_MS:
        why = (
            f"95 % of calls took up to {p95:.0f} ms, {p95 / live_p95:.1f} times as long as at {live.name} "
            f"({live_p95:.0f} ms); at most {most:g} times is allowed. Give it a faster place, or change the rule."
        )
        return False, evidence | told | {"why": why}
    return True, evidence | told


def percentile(values: list[float], share: float) -> float:
    """The value that this share of values does not exceed, between neighbours by their distance."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def interval(ours: list[float], theirs: list[float]) -> tuple[float, float]:
    """99 % interval of the ratio of both p95, by resampling with a fixed seed."""
    chance = random.Random(0)
    ratios = sorted(
        percentile(chance.choices(ours, k=len(ours)), 0.95) / percentile(chance.choices(theirs, k=len(theirs)), 0.95)
        for _ in range(RESAMPLES)
    )
    cut = int(TAIL * RESAMPLES)
    return ratios[cut], ratios[-cut - 1]


def slower_by_chance(ours: list[float], theirs: list[float]) -> float:
    """How likely ours would rank this far behind if both were equally fast (Mann-Whitney, normal approximation)."""
    wins = sum((a > b) + 0.5 * (a == b) for a in ours for b in theirs)
    n, m = len(ours), len(theirs)
    spread = math.sqrt(n * m * (n + m + 1) / 12)
    return 0.5 * math.erfc((wins - n * m / 2) / spread / math.sqrt(2))


def _ms(values: list[float], share: float) -> float:
    return round(percentile(values, share), 1)

"""How served models do in production: feedback rates with intervals, comparisons and savings, each with its n."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from storage.repositories.turns import ServedRow
from studio.scoring.proportions import Z, wilson
from studio.scoring.statistics import newcombe

POWER_Z = 0.8416
"""For a chance of 80 % to show a difference that is there."""
WORTH_SEEING = 0.10
FEW = 10
"""Rated calls on each side below which nothing is compared."""


@dataclass(frozen=True)
class ModelFeedback:
    """One served model: its traffic, and what people said of its answers."""

    name: str
    alias: str
    revision: int | None
    """Number of the deployed revision; None for a provider's model."""
    revision_id: str | None
    deployment_id: str | None
    calls: int
    errors: int
    up: int
    down: int
    corrections: int
    rate: float | None
    """Share of thumbs up among rated calls; None when nobody rated one."""
    low: float
    high: float
    cost_usd: float
    mean_latency_ms: float

    @property
    def rated(self) -> int:
        """Calls with a thumb up or down."""
        return self.up + self.down

    @property
    def cost_per_1k(self) -> float:
        """Recorded cost of a thousand calls, in USD."""
        return 1000 * self.cost_usd / self.calls if self.calls else 0.0


@dataclass(frozen=True)
class Verdict:
    """A deployed model against the provider's model under the same alias."""

    alias: str
    first: ModelFeedback
    second: ModelFeedback
    difference: float
    low: float
    high: float

    @property
    def shown(self) -> bool:
        """Whether the interval leaves no room for no difference."""
        return self.comparable and not self.low <= 0 <= self.high

    @property
    def comparable(self) -> bool:
        """Whether both sides have enough ratings to say anything."""
        return min(self.first.rated, self.second.rated) >= FEW

    @property
    def sentence(self) -> str:
        """The verdict in words, claiming no more than the ratings show."""
        one, two = self.first, self.second
        counts = f"{one.up} of {one.rated} against {two.up} of {two.rated} rated calls"
        if not self.comparable:
            return f"Too few ratings to compare {one.name} with {two.name} ({counts}); each needs at least {FEW}."
        interval = f"95 % interval {points(self.low)} to {points(self.high)} points"
        if self.shown:
            side = "more" if self.difference > 0 else "fewer"
            gap = points(abs(self.difference))
            return f"{one.name} gets {gap} points {side} thumbs up than {two.name} ({interval}; {counts})."
        return (
            f"No difference between {one.name} and {two.name} can be shown yet ({interval}; {counts}). "
            f"About {ratings_needed(two.rate or 0.5):,} ratings on each side would show {points(WORTH_SEEING)} points."
        )


@dataclass(frozen=True)
class Savings:
    """What calls answered by deployed models would have cost at the provider's mean cost in the same period."""

    alias: str
    calls: int
    baseline_name: str
    baseline_calls: int
    baseline_per_1k: float
    now_per_1k: float

    @property
    def saved_usd(self) -> float:
        """Cost avoided so far."""
        return self.calls * (self.baseline_per_1k - self.now_per_1k) / 1000

    @property
    def sentence(self) -> str:
        """The estimate with its assumption."""
        return (
            f"{self.calls:,} calls to {self.alias} were answered by deployed models. At {self.baseline_name}'s mean "
            f"cost (n={self.baseline_calls:,} calls) they would have cost USD {self.saved_usd:,.2f} more. "
            "The machine that serves the deployed model is not counted."
        )


def by_model(rows: Iterable[ServedRow], names: dict[str, tuple[str, int, str]]) -> list[ModelFeedback]:
    """One entry per alias and served model, busiest first."""
    groups: dict[tuple[str, str, str | None], list[ServedRow]] = defaultdict(list)
    for row in rows:
        label = names[row.revision_id][0] if row.revision_id in names else row.served_model or row.alias
        groups[(row.alias, label, row.revision_id)].append(row)
    found = [_feedback(label, alias, part, names) for (alias, label, _), part in groups.items()]
    return sorted(found, key=lambda each: (each.alias, -each.calls))


def verdicts(models: Sequence[ModelFeedback]) -> list[Verdict]:
    """Every deployed revision against the provider's model of the same alias."""
    return [
        _verdict(model, baseline)
        for model in models
        if model.revision_id and (baseline := _baseline(models, model.alias))
    ]


def savings(models: Sequence[ModelFeedback]) -> list[Savings]:
    """For every alias that had both a provider's model and a deployed one: the cost avoided."""
    found = []
    for alias in dict.fromkeys(model.alias for model in models):
        deployed = [model for model in models if model.alias == alias and model.revision_id]
        baseline, calls = _baseline(models, alias), sum(model.calls for model in deployed)
        if baseline and calls:
            now = 1000 * sum(model.cost_usd for model in deployed) / calls
            found.append(Savings(alias, calls, baseline.name, baseline.calls, baseline.cost_per_1k, now))
    return found


def ratings_needed(rate: float, gap: float = WORTH_SEEING) -> int:
    """Ratings on each side to show `gap` with 80 % power, by the usual normal approximation."""
    other = min(rate + gap, 1.0) if rate + gap <= 1 else rate - gap
    spread = rate * (1 - rate) + other * (1 - other)
    return max(FEW, math.ceil((Z + POWER_Z) ** 2 * spread / gap**2))


def points(share: float) -> str:
    """A share as whole percentage points."""
    rounded = round(100 * share)
    return f"{rounded}".replace("-", "−") if rounded else "0"


def _feedback(label: str, alias: str, rows: list[ServedRow], names: dict[str, tuple[str, int, str]]) -> ModelFeedback:
    revision_id = rows[0].revision_id
    calls, errors = sum(row.calls for row in rows), sum(row.errors for row in rows)
    up, down = sum(row.up for row in rows), sum(row.down for row in rows)
    low, high = wilson(up, up + down)
    return ModelFeedback(
        name=label,
        alias=alias,
        revision=names[revision_id][1] if revision_id in names else None,
        revision_id=revision_id,
        deployment_id=rows[0].deployment_id,
        calls=calls,
        errors=errors,
        up=up,
        down=down,
        corrections=sum(row.corrections for row in rows),
        rate=up / (up + down) if up + down else None,
        low=low,
        high=high,
        cost_usd=sum(row.cost_usd for row in rows),
        mean_latency_ms=sum(row.latency_ms for row in rows) / max(1, calls - errors),
    )


def _baseline(models: Sequence[ModelFeedback], alias: str) -> ModelFeedback | None:
    """The provider's model that answered most calls of the alias."""
    providers = [model for model in models if model.alias == alias and not model.revision_id]
    return max(providers, key=lambda model: model.calls, default=None)


def _verdict(first: ModelFeedback, second: ModelFeedback) -> Verdict:
    return Verdict(first.alias, first, second, *newcombe((first.up, first.rated), (second.up, second.rated)))

"""A sweep: every combination of a few values, named by what differs, with what all of it will take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from studio.errors import InvalidInput
from studio.train.plan import Plan

MOST_SETTINGS, MOST_RUNS = 3, 12
Grid = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep: the values that set it apart, and its plan."""

    label: str
    values: dict[str, Any]
    plan: Plan


@dataclass(frozen=True)
class SweepPlan:
    """What a sweep would start."""

    runs: tuple[SweepRun, ...]

    @property
    def seconds(self) -> float:
        """Of all runs, one after another."""
        return sum(run.plan.estimate.seconds for run in self.runs)

    @property
    def cost_usd(self) -> float | None:
        """Of all runs; None where no price is set."""
        costs = [run.plan.estimate.cost_usd for run in self.runs]
        known = [cost for cost in costs if cost is not None]
        return round(sum(known), 4) if known and len(known) == len(costs) else None

    @property
    def too_big(self) -> tuple[SweepRun, ...]:
        """Runs that will not fit in memory."""
        return tuple(run for run in self.runs if run.plan.estimate.fit == "too big")

    @property
    def sentence(self) -> str:
        """What starts, how long it takes and what it costs."""
        cost = f" and ${self.cost_usd:,.2f}" if self.cost_usd else ""
        text = f"{len(self.runs)} runs, about {_span(self.seconds)} one after another{cost}."
        return f"{text} {len(self.too_big)} will not fit in memory." if self.too_big else text


def combinations(grid: Grid) -> list[dict[str, Any]]:
    """Every combination of the grid's values, the last setting changing fastest. Raises InvalidInput."""
    chosen = {name: _distinct(values) for name, values in grid.items()}
    if not 1 <= len(chosen) <= MOST_SETTINGS:
        raise InvalidInput(f"A sweep tries values of one to {MOST_SETTINGS} settings; this names {len(chosen)}.")
    for name, values in chosen.items():
        if not values:
            raise InvalidInput(f"Give at least one value for {name!r}.")
    found = [dict(zip(chosen, each, strict=True)) for each in product(*chosen.values())]
    if not 2 <= len(found) <= MOST_RUNS:
        raise InvalidInput(
            f"A sweep is 2 to {MOST_RUNS} runs; this would be {len(found)}. Leave some values out or in."
        )
    return found


def label_of(values: Mapping[str, Any], grid: Grid) -> str:
    """The values that differ within the sweep, as part of a name: `learning_rate=0.01-lora_r=8`."""
    differing = {name: value for name, value in values.items() if len(_distinct(grid[name])) > 1}
    return "-".join(f"{name}={_short(value)}" for name, value in differing.items())


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

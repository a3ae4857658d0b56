"""Several runs side by side: what sets them apart, their curves, and what came of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from storage.tables import TrainingRun
from studio.train.experiments.curves import Axis, Event, curve, metrics

AXES: tuple[str, ...] = get_args(Axis)
MISSING = "–"


@dataclass(frozen=True)
class Difference:
    """A value that is not the same in all runs."""

    name: str
    label: str
    values: dict[str, Any]
    """By run id."""


@dataclass(frozen=True)
class Outcome:
    """What came of one run."""

    run_id: str
    name: str
    status: str
    golden: dict[str, dict[str, float]]
    """Golden metrics of the tuned model: name → mean, low, high, n."""
    target: dict[str, Any]
    """What the method moves: name, before, after."""
    numbers: dict[str, Any]
    """loss, best_eval_loss, steps, tokens, tokens_per_second, wall_s, peak_memory_mb."""


@dataclass(frozen=True)
class Comparison:
    """Runs side by side, in the order asked for."""

    runs: tuple[TrainingRun, ...]
    differences: tuple[Difference, ...]
    outcomes: tuple[Outcome, ...]
    points: dict[str, list[Event]]

    @property
    def metrics(self) -> list[str]:
        """Numbers that at least one run has a curve of, loss first."""
        found = set().union(*(metrics(points) for points in self.points.values())) if self.points else set()
        return sorted(found, key=lambda name: (name not in ("loss", "eval_loss"), name))

    def curves(self, metric: str = "loss", axis: Axis = "step") -> dict[str, list[tuple[float, float]]]:
        """One curve per run that has this number, by run id."""
        found = {run.id: curve(self.points[run.id], metric, axis) for run in self.runs}
        return {key: pairs for key, pairs in found.items() if pairs}

    @property
    def sentence(self) -> str:
        """Which run is ahead on the golden rows, and whether that can be told."""
        if len({run.dataset_version_id for run in self.runs}) > 1:
            return "These runs were measured on different versions; compare their models on Evaluate."
        ranked = sorted(
            ((value["mean"], out) for out in self.outcomes for value in _first(out)), key=lambda pair: -pair[0]
        )
        if len(ranked) < 2:
            return "Fewer than two of these runs were measured on golden rows yet."
        (best, ahead), (second, behind) = ranked[0], ranked[1]
        told = f"“{ahead.name}” is ahead of “{behind.name}”: {best:.1%} against {second:.1%} on golden rows"
        apart = next(_first(ahead))["low"] > next(_first(behind))["high"]
        return f"{told}." if apart else f"{told}, but their intervals overlap: too close to call."


def differences(
    runs: Sequence[TrainingRun], values: Mapping[str, Mapping[str, Any]], labels: Mapping[str, str]
) -> tuple[Difference, ...]:
    """The values by which the runs differ; a value that a run does not have shows as a dash."""
    whole = {run.id: {**_identity(run), **values[run.id]} for run in runs}
    names = list(dict.fromkeys(name for each in whole.values() for name in each))
    rows = [(name, {key: each.get(name, MISSING) for key, each in whole.items()}) for name in names]
    return tuple(
        Difference(name, labels.get(name, name.replace("_", " ").capitalize()), row)
        for name, row in rows
        if len({str(value) for value in row.values()}) > 1
    )


def outcome(run: TrainingRun, status: str) -> Outcome:
    """What came of the run, as far as it came."""
    names = (
        "loss",
        "best_eval_loss",
        "steps",
        "tokens",
        "tokens_per_second",
        "wall_s",
        "peak_memory_mb",
        "greedy_exact",
    )
    golden = (run.summary.get("golden") or {}).get("after") or {}
    target, numbers = run.summary.get("target") or {}, {name: run.summary.get(name) for name in names}
    return Outcome(run.id, run.name, status, golden, target, numbers)


def _identity(run: TrainingRun) -> dict[str, Any]:
    facts = {"method": run.method, "preset": run.preset, "runner": run.runner}
    return facts | {"base_model_id": run.base_model_id, "dataset_version_id": run.dataset_version_id}


def _first(found: Outcome) -> Any:
    """The golden metric that stands for the others, once there is one."""
    return (value for value in list(found.golden.values())[:1])

"""Experiments: clone and tweak, sweep, compare, note, tag, and take the whole log away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from storage.database import Database
from storage.repositories.jobs import OPEN
from storage.repositories.training import TrainingRunRepository
from storage.tables import TrainingRun
from storage.types import new_id
from studio.access.actor import Actor, Role, permit
from studio.errors import InvalidInput, NotFound, StudioError
from studio.jobs.logs import whole_log
from studio.settings import Settings
from studio.train.experiments.comparison import Comparison, differences, outcome
from studio.train.experiments.curves import placed
from studio.train.experiments.sweeps import Grid, SweepPlan, SweepRun, combinations, label_of
from studio.train.runs import Training

MOST_COMPARED = 12
LONGEST_NOTE, LONGEST_TAG, MOST_TAGS = 10_000, 40, 20


class Experiments:
    """The same run with other values, several side by side, and what people say about them."""

    def __init__(self, database: Database, training: Training, settings: Settings) -> None:
        self.database, self.training, self.settings = database, training, settings

    def clone(self, actor: Actor, run_id: str, overrides: dict[str, Any], name: str | None = None) -> TrainingRun:
        """Start a run like this one with some values changed; it remembers where it came from."""
        run = self.training.get(run_id)
        return self.training.start(
            actor,
            run.dataset_version_id,
            run.base_model_id,
            method=run.method,
            preset=run.preset or "balanced",
            overrides=self.training.values_of(run) | overrides,
            name=name or run.name,
            runner=run.runner,
            tags=tuple(run.tags),
            parent_run_id=run.id,
        )

    def plan_sweep(
        self,
        version_id: str,
        base_model_id: str,
        grid: Grid,
        *,
        method: str = "sft",
        preset: str = "balanced",
        overrides: dict[str, Any] | None = None,
    ) -> SweepPlan:
        """What a sweep over up to three settings would start and take. Raises InvalidInput for a wrong value."""
        runs = []
        for values in combinations(grid):
            plan = self.training.plan(version_id, base_model_id, preset, method, {**(overrides or {}), **values})
            runs.append(SweepRun(label_of(values, grid), values, plan))
        return SweepPlan(tuple(runs))

    def sweep(
        self,
        actor: Actor,
        version_id: str,
        base_model_id: str,
        grid: Grid,
        *,
        method: str = "sft",
        preset: str = "balanced",
        overrides: dict[str, Any] | None = None,
        name: str = "sweep",
        runner: str = "local",
        not_before: datetime | None = None,
        priority: int = 0,
        tags: Sequence[str] = (),
    ) -> list[TrainingRun]:
        """Start one run per combination, all or none; their names tell the values that differ."""
        planned = self.plan_sweep(version_id, base_model_id, grid, method=method, preset=preset, overrides=overrides)
        how: dict[str, Any] = {"method": method, "preset": preset, "runner": runner, "sweep_id": new_id()}
        how |= {"not_before": not_before, "priority": priority, "tags": _clean_tags(tags)}
        started: list[TrainingRun] = []
        try:
            for run in planned.runs:
                values, named = {**(overrides or {}), **run.values}, f"{name}-{run.label}"
                made = self.training.start(actor, version_id, base_model_id, overrides=values, name=named, **how)
                started.append(made)
        except StudioError:
            self._take_back(actor, started)
            raise
        return started

    def compare(self, run_ids: Sequence[str]) -> Comparison:
        """Runs side by side: what sets them apart, their curves, what came of each."""
        wanted = list(dict.fromkeys(run_ids))
        if not 1 <= len(wanted) <= MOST_COMPARED:
            raise InvalidInput(f"Choose up to {MOST_COMPARED} runs to compare.")
        runs = tuple(self.training.get(run_id) for run_id in wanted)
        if len({run.project_id for run in runs}) > 1:
            raise InvalidInput("These runs belong to different projects. Compare runs of one project.")
        values = {run.id: self.training.values_of(run) for run in runs}
        return Comparison(
            runs,
            differences(runs, values, _labels(runs)),
            tuple(outcome(run, self._status(run)) for run in runs),
            {run.id: placed(self.training.events(run)[0]) for run in runs},
        )

    def note(self, actor: Actor, run_id: str, text: str) -> TrainingRun:
        """Write down what to remember about the run."""
        if len(text) > LONGEST_NOTE:
            raise InvalidInput(f"A note holds up to {LONGEST_NOTE:,} characters; this one has {len(text):,}.")
        return self._changed(actor, run_id, note=text.strip())

    def tag(self, actor: Actor, run_id: str, tags: Sequence[str]) -> TrainingRun:
        """Give the run these tags instead of the ones it has."""
        return self._changed(actor, run_id, tags=_clean_tags(tags))

    def full_log(self, run: TrainingRun) -> bytes:
        """Everything the run printed, attempt after attempt."""
        return whole_log(self.settings.runs, run.job_id or "")

    def _status(self, run: TrainingRun) -> str:
        return self.training.jobs.get(run.job_id).status if run.job_id else "unknown"

    def _take_back(self, actor: Actor, started: Sequence[TrainingRun]) -> None:
        for run in started:
            if run.job_id and self.training.jobs.get(run.job_id).status in OPEN:
                self.training.cancel(actor, run.id)

    def _changed(self, actor: Actor, run_id: str, **values: Any) -> TrainingRun:
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            run = TrainingRunRepository(session).get(run_id)
            if run is None:
                raise NotFound("This training run no longer exists. Choose one under Runs on Train.")
            for name, value in values.items():
                setattr(run, name, value)
        return run


def _clean_tags(tags: Sequence[str]) -> list[str]:
    found = list(dict.fromkeys(" ".join(tag.split()) for tag in tags if tag.strip()))
    if len(found) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in found):
        raise InvalidInput(f"A run has up to {MOST_TAGS} tags of up to {LONGEST_TAG} characters.")
    return found


def _labels(runs: Sequence[TrainingRun]) -> dict[str, str]:
    """What the plans call their values."""
    return {value["name"]: value["label"] for run in runs for value in run.plan.get("values", [])}

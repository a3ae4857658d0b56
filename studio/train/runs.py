"""Training: what can be learned, plan a run, check it, start it, chain it, do it again, watch it and stop it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.datasets import VersionRepository
from storage.repositories.models import ModelRepository
from storage.repositories.training import TrainingRunRepository
from storage.tables import Dataset, DatasetVersion, Job, Model, TrainingRun
from studio.access.actor import Actor, Role, permit
from studio.errors import Conflict, InvalidInput, NotFound
from studio.jobs.folders import RunFolder, log_tail
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train import recipe, writing
from studio.train.advice.base import BaseAdvice, advise_base
from studio.train.doctor import Finding
from studio.train.events import tail
from studio.train.machine import Machine
from studio.train.methods.offers import Offer
from studio.train.models import hub_base
from studio.train.places import gpus_at
from studio.train.plan import Plan
from studio.train.planning import Parts, Planner, refuse_without_data
from studio.train.recipe_text import exported, parsed
from studio.train.starting import LOCAL, Order, Wanted, enqueue


class Training:
    """A run = recipe + frozen version + base model + seed."""

    def __init__(self, database: Database, artifacts: Artifacts, jobs: Jobs, settings: Settings) -> None:
        self.database, self.artifacts, self.jobs, self.settings = database, artifacts, jobs, settings
        self.planner = Planner(database, artifacts, settings)

    def build_base(
        self,
        actor: Actor,
        project_id: str,
        documents: list[str] | Path,
        name: str,
        shape: dict[str, Any] | None = None,
    ) -> Job:
        """Build a tiny base model from documents (texts, or a JSONL file of {"text"}), as a job.

        `shape` changes its size or schooling: hidden, layers, steps ... (`recipes.base.Shape`).
        """
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
            if name in ModelRepository(session).names(project_id):
                raise InvalidInput(f"There is already a model named “{name}”. Choose another name.")
        spec = {"name": name, "documents": self._stored(documents), "project_id": project_id, "shape": shape or {}}
        return self.jobs.submit(actor, "build_base", spec, title=f"Build {name}", project_id=project_id)

    def offers(self, version_id: str) -> list[Offer]:
        """Every method, whether the version holds what it needs, and what is missing. Reads no row."""
        return self.planner.offers(version_id)

    def advise_base(self, version_id: str, budget: str = "any") -> list[BaseAdvice]:
        """Bases to start from, the best first, for the task and what serving may cost (`advice.base.BUDGETS`)."""
        version, dataset = self.planner.source(version_id)
        with self.database.read() as session:
            models = ModelRepository(session).of_project(dataset.project_id, ("base", "tuned"))
        return advise_base(version, models, self.machine(), budget)

    def plan(
        self,
        version_id: str,
        base_model_id: str,
        preset: str = "balanced",
        method: str = "sft",
        overrides: dict[str, Any] | None = None,
    ) -> Plan:
        """Advise on a run: every value with its reason, and what it will take on this machine."""
        return self.planner.plan(self.planner.parts(version_id, base_model_id), preset, method, overrides)

    def plan_hub(
        self,
        project_id: str,
        version_id: str,
        hub_id: str,
        preset: str = "balanced",
        overrides: dict[str, Any] | None = None,
        method: str = "sft",
    ) -> tuple[Plan, list[Finding]]:
        """Plan and findings for a base on the Hub menu that the project has not registered yet."""
        parts = self.planner.parts_with(version_id, hub_base(project_id, hub_id))
        considered = self.planner.consider(parts, preset, method, overrides)
        return considered.plan, self.planner.examined(parts, considered)

    def planned(
        self,
        version_id: str,
        base_model_id: str,
        preset: str = "balanced",
        method: str = "sft",
        overrides: dict[str, Any] | None = None,
    ) -> tuple[Plan, list[Finding]]:
        """The plan, and what would make the run fail or mislead, worst first: the version is read a single time."""
        parts = self.planner.parts(version_id, base_model_id)
        considered = self.planner.consider(parts, preset, method, overrides)
        return considered.plan, self.planner.examined(parts, considered)

    def start(
        self,
        actor: Actor,
        version_id: str,
        base_model_id: str,
        *,
        method: str = "sft",
        preset: str = "balanced",
        overrides: dict[str, Any] | None = None,
        name: str | None = None,
        then: str | None = None,
        then_overrides: dict[str, Any] | None = None,
        runner: str = LOCAL,
        not_before: datetime | None = None,
        priority: int = 0,
        tags: Sequence[str] = (),
        parent_run_id: str | None = None,
        sweep_id: str | None = None,
    ) -> TrainingRun:
        """Put the run in the queue; `then` names a method to train next on the model it makes.

        Raises InvalidInput when the doctor finds an error or the version lacks the data.
        """
        parts = self.planner.parts(version_id, base_model_id)
        chain = [self._wanted(parts, method, preset, overrides, name)]
        if then:
            follow = f"{name}-{then}" if name else None
            chain.append(self._wanted(parts, then, preset, then_overrides, follow))
        refuse_chain(chain)
        order = Order(runner, not_before, priority, tags, parent_run_id, sweep_id)
        return self._enqueued(actor, chain, order)[0]

    def start_recipe(
        self,
        actor: Actor,
        project_id: str,
        version_id: str,
        base_model_id: str,
        text: str,
        *,
        name: str | None = None,
        runner: str = LOCAL,
        method: str = "",
    ) -> TrainingRun:
        """Run a recipe given as YAML, as `recipe_text` gives it out or as TRL documents it.

        Raises InvalidInput for a key that there is not, naming the nearest one.
        """
        parts, given = self.planner.parts(version_id, base_model_id), parsed(text, method)
        if parts.dataset.project_id != project_id:
            raise InvalidInput("That dataset version belongs to another project. Choose one of this project.")
        refuse_without_data(self.offers(version_id), given.method.name)
        self.planner.refuse_strangers(parts, given.studio)
        facts = (given.method.name, given.recipe, given.studio, name or _name(parts, given.method.name))
        wanted = Wanted(parts, *facts, gpus=self._gpus(given.recipe))
        return self._enqueued(actor, [wanted], Order(runner))[0]

    def reproduce(self, actor: Actor, run_id: str) -> TrainingRun:
        """The same recipe, version, base and seed once more: on the same machine, the same losses."""
        run = self.get(run_id)
        if run.after_run_id and not run.finished_at and self.model_of(run.after_run_id) is None:
            raise Conflict("This run waits for the run before it. Reproduce it once it has started.")
        parts = self.planner.parts(run.dataset_version_id, run.base_model_id)
        facts = (run.method, run.recipe, run.studio, f"{run.name}-again", run.preset, run.plan)
        wanted = Wanted(parts, *facts, gpus=self._gpus(run.recipe))
        return self._enqueued(actor, [wanted], Order(run.runner, parent_run_id=run.id))[0]

    def values_of(self, run: TrainingRun) -> dict[str, Any]:
        """The run's values as overrides: what a clone starts from."""
        return writing.values_of(run.recipe, run.studio)

    def all(self, project_id: str) -> list[TrainingRun]:
        """The project's runs, newest first."""
        with self.database.read() as session:
            return TrainingRunRepository(session).of_project(project_id)

    def get(self, run_id: str) -> TrainingRun:
        """The run. Raises NotFound."""
        with self.database.read() as session:
            run = TrainingRunRepository(session).get(run_id)
        if run is None:
            raise NotFound("This training run no longer exists. Choose one under Runs on Train.")
        return run

    def chain_of(self, run_id: str) -> list[TrainingRun]:
        """The runs that start from this run's model, oldest first."""
        with self.database.read() as session:
            return TrainingRunRepository(session).find(after_run_id=run_id)

    def model_of(self, run_id: str) -> Model | None:
        """The model that the run made, once it has."""
        with self.database.read() as session:
            return ModelRepository(session).made_by(run_id)

    def versions(self, project_id: str) -> list[tuple[DatasetVersion, Dataset]]:
        """Every frozen version of the project with its dataset, newest first: what can be learned from."""
        with self.database.read() as session:
            return VersionRepository(session).of_project(project_id)

    def recipe_text(self, run: TrainingRun) -> str:
        """The run's recipe as the YAML file that TRL reads; `start_recipe` makes the same run of it."""
        return exported(run.recipe, run.studio)

    def events(self, run: TrainingRun, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The run's live events after byte `offset`, and the offset to ask from next time."""
        return tail(RunFolder.of(self.settings.runs, str(run.job_id)).work / recipe.EVENTS, offset)

    def log(self, run: TrainingRun, limit: int = 20_000) -> str:
        """The end of the training process's log."""
        job = self.jobs.get(str(run.job_id))
        return log_tail(self.settings.runs, job.id, job.attempt, limit)

    def cancel(self, actor: Actor, run_id: str) -> Job:
        """Stop the run; it saves a checkpoint first."""
        return self.jobs.cancel(actor, str(self.get(run_id).job_id))

    def resume(self, actor: Actor, run_id: str) -> Job:
        """Go on with a stopped or failed run from its newest checkpoint."""
        return self.jobs.retry(actor, str(self.get(run_id).job_id))

    def machine(self) -> Machine:
        """Where runs happen: a GPU counts only when the worker may hand one out."""
        return self.planner.machine()

    def _wanted(
        self, parts: Parts, method: str, preset: str, overrides: dict[str, Any] | None, name: str | None
    ) -> Wanted:
        considered = self.planner.consider(parts, preset, method, overrides)
        plan = considered.plan
        for finding in self.planner.examined(parts, considered):
            if finding.severity == "error":
                raise InvalidInput(finding.sentence)
        made, studio = plan.recipe(), plan.studio()
        facts = (plan.method, made, studio, name or _name(parts, plan.method), preset, plan.facts())
        return Wanted(parts, *facts, gpus=self._gpus(made))

    def _gpus(self, made: dict[str, Any]) -> int:
        return 1 if self.machine().gpu and not made.get("use_cpu") else 0

    def _enqueued(self, actor: Actor, chain: list[Wanted], order: Order) -> list[TrainingRun]:
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            order = replace(order, gpus=gpus_at(session, order.runner, self.settings.worker_gpus))
            made = [enqueue(session, self.jobs, actor, chain[0], order)]
            for wanted in chain[1:]:
                made.append(enqueue(session, self.jobs, actor, wanted, order.following(made[-1])))
        return made

    def _stored(self, documents: list[str] | Path) -> str:
        with tempfile.TemporaryDirectory() as folder:
            lines = documents.read_text() if isinstance(documents, Path) else _as_lines(documents)
            if not lines.strip():
                raise InvalidInput("There is no text to build a model from.")
            (Path(folder) / "documents.jsonl").write_text(lines, encoding="utf-8")
            return self.artifacts.save_folder(Path(folder), {"kind": "documents"})


def refuse_chain(chain: list[Wanted]) -> None:
    """Raise InvalidInput where nothing can be trained on what the first run makes."""
    if len(chain) > 1 and chain[0].way.makes == "reward":
        raise InvalidInput("A reward model judges answers; nothing can be trained on top of it. Choose another start.")


def _name(parts: Parts, method: str) -> str:
    suffix = "" if method == "sft" else f"-{method}"
    return f"{parts.dataset.name}-v{parts.version.number}-{parts.base.name}{suffix}"


def _as_lines(documents: list[str]) -> str:
    return "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in documents)

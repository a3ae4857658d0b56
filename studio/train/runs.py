"""Training: plan a run, check it, start it, watch it, stop it, and go on with it."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.datasets import VersionRepository
from storage.repositories.models import ModelRepository
from storage.repositories.training import TrainingRunRepository
from storage.tables import Dataset, DatasetVersion, Job, Model, TrainingRun
from studio.access.actor import Actor, Role, permit
from studio.curate.snapshot import VersionData, read_version
from studio.errors import InvalidInput, NotFound
from studio.jobs.folders import RunFolder, log_tail
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train import data, recipe
from studio.train.advise import make_plan
from studio.train.events import tail
from studio.train.lengths import measure
from studio.train.machine import Machine, this_machine
from studio.train.models import existing_model, hub_base
from studio.train.plan import Plan, Situation
from studio.train.preflight import Finding, examine
from studio.train.weights import shape_of, template_of, tokenizer_of


class Training:
    """A run = recipe + frozen version + base model + seed."""

    def __init__(self, database: Database, artifacts: Artifacts, jobs: Jobs, settings: Settings) -> None:
        self.database, self.artifacts, self.jobs, self.settings = database, artifacts, jobs, settings

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

    def plan(
        self,
        version_id: str,
        base_model_id: str,
        preset: str = "balanced",
        method: str = "sft",
        overrides: dict[str, Any] | None = None,
    ) -> Plan:
        """Advise on a run: every value with its reason, and what it will take on this machine."""
        version, _dataset, base = self._parts(version_id, base_model_id)
        return self._plan(read_version(self.artifacts, version.digest), base, preset, method, overrides)

    def plan_hub(
        self,
        project_id: str,
        version_id: str,
        hub_id: str,
        preset: str = "balanced",
        overrides: dict[str, Any] | None = None,
    ) -> tuple[Plan, list[Finding]]:
        """Plan and findings for a base on the Hub menu that the project has not registered yet."""
        version, _dataset = self._source(version_id)
        rows, base = read_version(self.artifacts, version.digest), hub_base(project_id, hub_id)
        plan = self._plan(rows, base, preset, "sft", overrides)
        return plan, self._examined(rows, base, plan)

    def preflight(
        self, version_id: str, base_model_id: str, preset: str = "balanced", overrides: dict[str, Any] | None = None
    ) -> list[Finding]:
        """What would make the run fail or mislead, worst first."""
        version, _dataset, base = self._parts(version_id, base_model_id)
        rows = read_version(self.artifacts, version.digest)
        return self._examined(rows, base, self._plan(rows, base, preset, "sft", overrides))

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
    ) -> TrainingRun:
        """Put the run in the queue. Raises InvalidInput when the doctor finds an error."""
        version, dataset, base = self._parts(version_id, base_model_id)
        rows = read_version(self.artifacts, version.digest)
        plan = self._plan(rows, base, preset, method, overrides)
        for finding in self._examined(rows, base, plan):
            if finding.severity == "error":
                raise InvalidInput(finding.sentence)
        wanted = name or f"{dataset.name}-v{version.number}-{base.name}"
        return self._enqueued(actor, plan, version, base, wanted)

    def all(self, project_id: str) -> list[TrainingRun]:
        """The project's runs, newest first."""
        with self.database.read() as session:
            return TrainingRunRepository(session).of_project(project_id)

    def get(self, run_id: str) -> TrainingRun:
        """The run. Raises NotFound."""
        with self.database.read() as session:
            run = TrainingRunRepository(session).get(run_id)
        if run is None:
            raise NotFound("This training run no longer exists.")
        return run

    def model_of(self, run_id: str) -> Model | None:
        """The model that the run made, once it has."""
        with self.database.read() as session:
            return ModelRepository(session).made_by(run_id)

    def versions(self, project_id: str) -> list[tuple[DatasetVersion, Dataset]]:
        """Every frozen version of the project with its dataset, newest first: what can be learned from."""
        with self.database.read() as session:
            return VersionRepository(session).of_project(project_id)

    def recipe_text(self, run: TrainingRun) -> str:
        """The run's recipe as the YAML file that TRL reads."""
        return recipe.as_yaml(run.recipe)

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
        here = this_machine()
        return here if self.settings.worker_gpus else replace(here, gpu="", gpu_memory=0)

    def _parts(self, version_id: str, base_model_id: str) -> tuple[DatasetVersion, Dataset, Model]:
        with self.database.read() as session:
            base = existing_model(session, base_model_id)
        if base.kind == "provider":
            raise InvalidInput(f"“{base.name}” answers from a provider; its weights cannot be trained. Choose a base.")
        return (*self._source(version_id), base)

    def _source(self, version_id: str) -> tuple[DatasetVersion, Dataset]:
        with self.database.read() as session:
            found = TrainingRunRepository(session).source(version_id)
        if found is None:
            raise NotFound("This dataset version no longer exists. Freeze one on Curate.")
        return found

    def _plan(self, rows: VersionData, base: Model, preset: str, method: str, overrides: dict[str, Any] | None) -> Plan:
        chosen = data.split(rows)
        lengths = measure(chosen.train, tokenizer_of(self.artifacts, base))
        shape, sizes = shape_of(self.artifacts, base), (len(chosen.train), len(chosen.held_out))
        machine = self.machine()
        situation = Situation(shape, base.name, *sizes, lengths, machine, self._measured_speed(base, machine))
        return make_plan(situation, preset, method, overrides)

    def _examined(self, rows: VersionData, base: Model, plan: Plan) -> list[Finding]:
        return examine(rows, plan, template_of(self.artifacts, base), self.settings.runs)

    def _measured_speed(self, base: Model, machine: Machine) -> float | None:
        device = "cuda" if machine.gpu else "cpu"
        with self.database.read() as session:
            earlier = TrainingRunRepository(session).finished_on(base.id)
        speeds = [run.summary.get("tokens_per_second") for run in earlier if run.summary.get("device") == device]
        return next((float(speed) for speed in speeds if speed), None)

    def _enqueued(self, actor: Actor, plan: Plan, version: DatasetVersion, base: Model, name: str) -> TrainingRun:
        chosen = plan.recipe()
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            runs = TrainingRunRepository(session)
            taken = runs.names(base.project_id) | ModelRepository(session).names(base.project_id)
            run = TrainingRun(
                project_id=base.project_id,
                dataset_version_id=version.id,
                base_model_id=base.id,
                name=_free(name, taken),
                method=plan.method,
                recipe=chosen,
                recipe_digest=recipe.digest(chosen),
                seed=chosen["seed"],
                created_by=actor.username,
            )
            runs.add(run)
            gpus = 1 if plan.situation.machine.gpu else 0
            title, spec = f"Train {run.name}", {"run_id": run.id}
            job = self.jobs.enqueue(session, actor, "train", spec, title=title, project_id=run.project_id, gpus=gpus)
            run.job_id = job.id
        return run

    def _stored(self, documents: list[str] | Path) -> str:
        with tempfile.TemporaryDirectory() as folder:
            lines = documents.read_text() if isinstance(documents, Path) else _as_lines(documents)
            if not lines.strip():
                raise InvalidInput("There is no text to build a model from.")
            (Path(folder) / "documents.jsonl").write_text(lines, encoding="utf-8")
            return self.artifacts.save_folder(Path(folder), {"kind": "documents"})


def _as_lines(documents: list[str]) -> str:
    return "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in documents)


def _free(name: str, taken: set[str]) -> str:
    """The name, or the name with the first free number."""
    names = (name[:110] if number == 1 else f"{name[:110]}-{number}" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in names if candidate not in taken)

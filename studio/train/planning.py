"""From a version and a base to a plan: the data counted, the base measured, the machine asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.models import ModelRepository
from storage.repositories.training import TrainingRunRepository
from storage.tables import Dataset, DatasetVersion, Model
from studio.curate.snapshot import VersionData, read_version
from studio.errors import InvalidInput, NotFound
from studio.settings import Settings
from studio.train import data
from studio.train.advice import make_plan, parse_overrides
from studio.train.doctor import Finding, examine
from studio.train.estimate import Speed
from studio.train.estimate.measured import measured_speed
from studio.train.lengths import measure, measure_answers
from studio.train.machine import Machine, device_of, this_machine
from studio.train.methods.offers import Offer, holdings, offers_of
from studio.train.models import existing_model
from studio.train.plan import Plan, Situation
from studio.train.weights import endings_of, shape_of, template_of, tokenizer_of

CANNOT_TEACH = {
    "provider": "“{name}” answers from a provider; its weights cannot be trained. Choose a base.",
    "reward": "“{name}” judges answers and cannot learn to write them. Choose a base or a tuned model.",
}


@dataclass(frozen=True)
class Parts:
    """What a run is made of, found."""

    version: DatasetVersion
    dataset: Dataset
    base: Model


@dataclass(frozen=True)
class Considered:
    """A plan, and the data that it was made on."""

    plan: Plan
    rows: VersionData
    lines: data.TrainingData


class Planner:
    """Finds the parts of a run and advises on it."""

    def __init__(self, database: Database, artifacts: Artifacts, settings: Settings) -> None:
        self.database, self.artifacts, self.settings = database, artifacts, settings

    def parts(self, version_id: str, base_model_id: str) -> Parts:
        """Version, dataset and base. Raises NotFound, or InvalidInput for a base that cannot be trained."""
        with self.database.read() as session:
            base = existing_model(session, base_model_id)
        found = self.parts_with(version_id, base)
        if base.project_id != found.dataset.project_id:
            raise InvalidInput(f"“{base.name}” belongs to another project. Choose a base of this one.")
        return found

    def parts_with(self, version_id: str, base: Model) -> Parts:
        """The same for a base that may not be registered yet."""
        if base.kind in CANNOT_TEACH:
            raise InvalidInput(CANNOT_TEACH[base.kind].format(name=base.name))
        return Parts(*self.source(version_id), base)

    def source(self, version_id: str) -> tuple[DatasetVersion, Dataset]:
        """A frozen version with its dataset. Raises NotFound."""
        with self.database.read() as session:
            found = TrainingRunRepository(session).source(version_id)
        if found is None:
            raise NotFound("This dataset version no longer exists. Freeze one on Curate.")
        return found

    def offers(self, version_id: str) -> list[Offer]:
        """Every method with what the version holds for it."""
        version, dataset = self.source(version_id)
        return offers_of(holdings(self.artifacts, version), bool(self.teachers(dataset.project_id)))

    def teachers(self, project_id: str) -> list[Model]:
        """Models that a provider answers for, newest first."""
        with self.database.read() as session:
            models = ModelRepository(session).of_project(project_id, ("provider",))
        return [model for model in models if model.provider_id]

    def plan(self, parts: Parts, preset: str, method: str, overrides: dict[str, Any] | None) -> Plan:
        """Advise on a run. Raises InvalidInput when the version lacks the data or a value cannot be used."""
        return self.consider(parts, preset, method, overrides).plan

    def consider(
        self,
        parts: Parts,
        preset: str,
        method: str,
        overrides: dict[str, Any] | None,
        rows: VersionData | None = None,
    ) -> Considered:
        """The plan with the data that it was made on; `rows` where the version was read already."""
        chosen = parse_overrides(overrides)
        refuse_without_data(self.offers(parts.version.id), method)
        self.refuse_strangers(parts, chosen)
        rows = rows or read_version(self.artifacts, parts.version.digest)
        every_turn = chosen.get("every_turn", False)
        lines = self.lines(parts, method, seed=chosen.get("seed", 0), every_turn=every_turn, rows=rows)
        return Considered(
            make_plan(self.situation(parts, method, chosen, lines), preset, method, overrides), rows, lines
        )

    def examined(self, parts: Parts, considered: Considered) -> list[Finding]:
        """What would make the run fail or mislead, as far as it is known without running anything; worst first."""
        return examine(
            considered.rows,
            considered.plan,
            template_of(self.artifacts, parts.base),
            self.settings.runs,
            lines=considered.lines,
            device=device_of(considered.plan.situation.machine),
            base=parts.base,
            endings=endings_of(self.artifacts, parts.base),
        )

    def situation(self, parts: Parts, method: str, chosen: dict[str, Any], lines: data.TrainingData) -> Situation:
        """What the plan is made for: sizes, lengths, machine, speed."""
        tokenizer, machine = tokenizer_of(self.artifacts, parts.base), self.machine()
        return Situation(
            shape=shape_of(self.artifacts, parts.base),
            base=parts.base.name,
            rows=len(lines.train),
            held_out=len(lines.held_out),
            golden=len(lines.golden),
            lengths=measure(lines.train, tokenizer),
            machine=machine,
            speed=self._measured_speed(parts.base, method, chosen.get("training", "lora"), machine),
            price_per_hour=self.settings.price_per_hour or None,
            answers=measure_answers(lines.train, tokenizer),
            judged=data.sides(lines.train),
            teacher_id=next((model.id for model in self.teachers(parts.dataset.project_id)), ""),
            tuned_before=parts.base.kind == "tuned",
        )

    def lines(
        self,
        parts: Parts,
        method: str,
        *,
        seed: int = 0,
        every_turn: bool = False,
        keep_digest: str = "",
        rows: VersionData | None = None,
        native_tools: bool | None = None,
    ) -> data.TrainingData:
        """The training files of a run; how the base reads tools is read off its template, unless it is known."""
        if native_tools is None:
            native_tools = data.speaks_tools(template_of(self.artifacts, parts.base))
        return data.gather(
            self.artifacts,
            parts.version.digest,
            method,
            seed=seed,
            tools=native_tools,
            every_turn=every_turn,
            keep_digest=keep_digest,
            rows=rows,
        )

    def machine(self) -> Machine:
        """Where runs happen: a GPU counts only when the worker may hand one out."""
        here = this_machine()
        return here if self.settings.worker_gpus else replace(here, gpu="", gpu_memory=0)

    def refuse_strangers(self, parts: Parts, chosen: dict[str, Any]) -> None:
        """Raise for a teacher or a version to be kept in mind that is not this project's."""
        project_id = parts.dataset.project_id
        teacher, kept = chosen.get("teacher_model_id"), chosen.get("keep_version_id")
        if teacher and teacher not in {model.id for model in self.teachers(project_id)}:
            raise InvalidInput("The teacher must be a provider's model of this project. Add it under Settings.")
        if kept and self.source(kept)[1].project_id != project_id:
            raise InvalidInput("What must not be forgotten must be a dataset version of this project. Choose another.")

    def _measured_speed(self, base: Model, method: str, training: str, machine: Machine) -> Speed | None:
        device = "cuda" if machine.gpu else "cpu"
        with self.database.read() as session:
            return measured_speed(session, base.id, method, training, device)


def refuse_without_data(offers: list[Offer], method: str) -> None:
    """Raise InvalidInput, saying what is missing and where to make it, when the method cannot start."""
    found = next((offer for offer in offers if offer.method.name == method), None)
    if found is not None and not found.available:
        raise InvalidInput(found.why_not)

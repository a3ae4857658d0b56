"""The rehearsals service: start one, find what an earlier one found, ask what more labels would be worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.jobs import OPEN, JobRepository
from storage.repositories.rehearsals import RehearsalRepository
from storage.tables import Rehearsal
from studio.access.actor import Actor, Role, permit
from studio.errors import InvalidInput, NotFound
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train.plan import Plan
from studio.train.planning import Parts, Planner
from studio.train.rehearse.key import key_of
from studio.train.rehearse.sizes import LEAST_ROWS, SHARES

BATCH, LABELS = "batch", "labels"


class Rehearsals:
    """Tries a run out before it starts: what the model sees, how fast it learns, what more labels would bring."""

    def __init__(self, database: Database, artifacts: Artifacts, jobs: Jobs, settings: Settings) -> None:
        self.database, self.jobs = database, jobs
        self.planner = Planner(database, artifacts, settings)

    def start(
        self,
        actor: Actor,
        version_id: str,
        base_model_id: str,
        method: str = "sft",
        preset: str = "balanced",
        overrides: dict[str, Any] | None = None,
    ) -> Rehearsal:
        """Rehearse one batch as a job; one that is under way for the same batch is returned instead."""
        parts = self.planner.parts(version_id, base_model_id)
        plan = self.planner.plan(parts, preset, method, overrides)
        key = key_of(parts.version, parts.base, method, plan.named)
        spec = {"preset": preset, "overrides": overrides or {}}
        return self._begun(actor, parts, plan, BATCH, key, spec, f"Rehearse {parts.base.name}")

    def find(self, version_id: str, base_model_id: str, method: str, values: Mapping[str, Any]) -> Rehearsal | None:
        """The newest finished rehearsal of this very batch; `values` are the plan's (`Plan.named`)."""
        parts = self.planner.parts(version_id, base_model_id)
        key = key_of(parts.version, parts.base, method, values)
        with self.database.read() as session:
            return RehearsalRepository(session).newest(BATCH, key, finished=True)

    def label_value(
        self,
        actor: Actor,
        version_id: str,
        base_model_id: str,
        preset: str = "quick",
        overrides: dict[str, Any] | None = None,
    ) -> Rehearsal:
        """Learn from nested parts of the version as a job, to tell what the next labels would bring."""
        parts = self.planner.parts(version_id, base_model_id)
        plan = self.planner.plan(parts, preset, "sft", overrides)
        if plan.situation.rows < LEAST_ROWS or not plan.situation.held_out:
            raise InvalidInput(
                f"What more labels are worth can be told from {LEAST_ROWS} training rows on, some of them held out; "
                f"this version has {plan.situation.rows}. Add examples on Curate first."
            )
        key = key_of(parts.version, parts.base, "sft", plan.named, kind=LABELS, shares=SHARES)
        spec = {"preset": preset, "overrides": overrides or {}}
        return self._begun(actor, parts, plan, LABELS, key, spec, "What the next labels would bring")

    def get(self, rehearsal_id: str) -> Rehearsal:
        """The rehearsal. Raises NotFound."""
        with self.database.read() as session:
            found = RehearsalRepository(session).get(rehearsal_id)
        if found is None:
            raise NotFound("This rehearsal no longer exists. Rehearse again on Train.")
        return found

    def label_values(self, version_id: str) -> list[Rehearsal]:
        """What was found out about the worth of this version's labels, newest first."""
        with self.database.read() as session:
            return RehearsalRepository(session).of_version(version_id, LABELS)

    def _begun(
        self, actor: Actor, parts: Parts, plan: Plan, kind: str, key: str, spec: dict[str, Any], title: str
    ) -> Rehearsal:
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            rehearsals = RehearsalRepository(session)
            waiting = rehearsals.newest(kind, key, finished=False)
            if waiting is not None and _is_under_way(session, waiting):
                return waiting
            made = rehearsals.add(_rehearsal(actor, parts, plan, kind, key))
            name = "rehearse" if kind == BATCH else "label_value"
            gpus, project_id = 1 if plan.situation.machine.gpu else 0, made.project_id
            given = {"rehearsal_id": made.id, **spec}
            job = self.jobs.enqueue(session, actor, name, given, title=title, project_id=project_id, gpus=gpus)
            made.job_id = job.id
        return made


def _is_under_way(session: Session, rehearsal: Rehearsal) -> bool:
    job = JobRepository(session).get(rehearsal.job_id) if rehearsal.job_id else None
    return job is not None and job.status in OPEN


def _rehearsal(actor: Actor, parts: Parts, plan: Plan, kind: str, key: str) -> Rehearsal:
    return Rehearsal(
        project_id=parts.dataset.project_id,
        dataset_version_id=parts.version.id,
        base_model_id=parts.base.id,
        kind=kind,
        method=plan.method,
        key=key,
        created_by=actor.username,
    )

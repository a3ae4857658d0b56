"""Remedies: why a run failed or what a finished one suffers from, and the one click that mends it."""

from __future__ import annotations

from typing import Any

from storage.database import Database
from storage.tables import Job, TrainingRun
from studio.access.actor import Actor, Role, permit
from studio.errors import Conflict, InvalidInput, NotFound
from studio.jobs.queue import Jobs
from studio.train.failures import diagnose
from studio.train.runs import Training

FORGOT = "forgot"


class Remedies:
    """Applies the fixes that rules and cards suggest."""

    def __init__(self, database: Database, jobs: Jobs, training: Training) -> None:
        self.database, self.jobs, self.training = database, jobs, training

    def failure(self, run_id: str) -> dict[str, Any]:
        """Why the run failed; {} when it did not. Also tells of runs that were killed before they could say a word."""
        run = self.training.get(run_id)
        if not run.job_id:
            return run.failure
        job = self.jobs.get(run.job_id)
        if job.status != "failed":
            return {}
        kept = run.failure if run.failure.get("rule") not in (None, "unknown") else {}
        return kept or self._diagnosed(run, job)

    def fixes(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Every fix that can be applied to the run, by the rule that suggests it."""
        run, failure = self.training.get(run_id), self.failure(run_id)
        found = {each["rule"]: each["fix"] for each in run.card.get("warnings") or ()}
        if (run.card.get(FORGOT) or {}).get("fix"):
            found[FORGOT] = run.card[FORGOT]["fix"]
        return found | ({failure["rule"]: failure["fix"]} if failure else {})

    def apply(self, actor: Actor, run_id: str, rule: str = "") -> TrainingRun:
        """Do what the fix says: go on from the newest checkpoint, or start a new run with the changed values.

        `rule` chooses among several fixes; without it the failure's is taken. Raises InvalidInput where a person has
        to do something first.
        """
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
        fix = self._fix(run_id, rule)
        if fix.get("resume"):
            self.training.resume(actor, run_id)
            return self.training.get(run_id)
        if fix["page"]:
            raise InvalidInput(f"{fix['label']}, then train again: no change of values alone helps here.")
        return self._started(actor, self.training.get(run_id), fix)

    def _fix(self, run_id: str, rule: str) -> dict[str, Any]:
        fixes = self.fixes(run_id)
        if not fixes:
            raise Conflict("This run did not fail and shows nothing to mend.")
        if rule and rule not in fixes:
            raise NotFound("This fix is no longer suggested. Reload the page to see what is.")
        return fixes[rule or list(fixes)[-1]]

    def _started(self, actor: Actor, run: TrainingRun, fix: dict[str, Any]) -> TrainingRun:
        values = self.training.values_of(run) | fix["overrides"]
        return self.training.start(
            actor,
            run.dataset_version_id,
            str(fix.get("base_model_id") or run.base_model_id),
            method=run.method,
            preset=run.preset or "balanced",
            overrides=values,
            runner=run.runner,
            parent_run_id=run.id,
        )

    def _diagnosed(self, run: TrainingRun, job: Job) -> dict[str, Any]:
        events, _offset = self.training.events(run)
        return diagnose(job.error, events, self.training.log(run), run.plan)

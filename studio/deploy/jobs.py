"""The deploy job: export → launch (by the worker) → gates → ready; or failed, with the reason and the log's end."""

from __future__ import annotations

import time
from typing import Any

from storage.repositories.deployments import EventRepository
from storage.tables import Deployment, DeploymentEvent, Model, Revision
from storage.types import now
from studio.deploy.artifact import export
from studio.deploy.gates import GATES, GateResult, run_gates, sentence, subject
from studio.deploy.hosting import target_of
from studio.deploy.reconcile import client_for, server_folder
from studio.deploy.rows import OVERRIDE
from studio.deploy.targets.port import ServingTarget
from studio.errors import Conflict, NotFound, StudioError
from studio.jobs.context import JobCancelled, JobContext

POLL_S = 0.3
LOAD_TIMEOUT_S = 600.0
BIG_MODEL_EXTRA_S = 120.0
BILLION = 1_000_000_000
DETAILS = ("why", "log")


def deploy(context: JobContext) -> dict[str, Any]:
    """Bring the spec's `revision_id` to ready. Traffic stays where it is."""
    return DeployJob(context).run()


class DeployJob:
    """One attempt; whatever an earlier one had done is found in the revision's row and not done again."""

    def __init__(self, context: JobContext) -> None:
        self.context = context
        self.revision_id = str(context.spec["revision_id"])

    def run(self) -> dict[str, Any]:
        """All steps; a failure is written to the revision before it is raised."""
        revision = self._read()
        if revision.state == "ready":
            return {"revision_id": revision.id, "number": revision.number}
        try:
            self._export(revision)
            self._launch()
            self._gate()
            self.context.report(1.0, "Ready")
        except JobCancelled:
            self._fail("The deployment was cancelled.")
            raise
        except StudioError as error:
            self._fail(error.message)
            raise
        return {"revision_id": revision.id, "number": revision.number}

    def _export(self, revision: Revision) -> None:
        self.context.report(0.05, "Preparing the weights")
        if revision.desired == "stopped":
            self._start_clean()
        if not self._target(revision).caps.needs_weights:
            return
        self._change(state="exporting")
        with self.context.database.read() as session:
            model = session.get_one(Model, revision.model_id)
        export(self.context.artifacts, self.context.settings, model)

    def _start_clean(self) -> None:
        """A retry: once the server of the failed attempt has left, this is like a first attempt."""
        while self._read().handle:
            self.context.leave_if_asked()
            time.sleep(POLL_S)
        self._change(desired="running", error=None, certificate=[])

    def _launch(self) -> None:
        self.context.report(0.3, "Starting the server")
        self._change(state="launching", what="launching")
        started = time.monotonic()
        while not self._is_up(revision := self._read()):
            self.context.leave_if_asked()
            waited = time.monotonic() - started
            self.context.report(0.3 + 0.4 * min(waited / 60, 1), "Waiting for the server to load the model")
            if waited > self._patience(revision):
                raise Conflict(f"The server was not healthy after {waited:.0f} s. See the end of its log.")
            time.sleep(POLL_S)

    def _is_up(self, revision: Revision) -> bool:
        if revision.state == "failed":
            raise Conflict(revision.error or "The server could not be started. See the end of its log.")
        if revision.desired == "stopped":
            raise Conflict("The revision was stopped while it was starting.")
        return bool(revision.endpoint) and client_for(self.context.settings, revision).healthy()

    def _patience(self, revision: Revision) -> float:
        with self.context.database.read() as session:
            model = session.get_one(Model, revision.model_id)
        return LOAD_TIMEOUT_S + BIG_MODEL_EXTRA_S * model.parameters / BILLION

    def _gate(self) -> None:
        self._change(state="gating", what="gating")
        revision = self._read()
        with self.context.database.read() as session:
            model = session.get_one(Model, revision.model_id)
            rules = session.get_one(Deployment, revision.deployment_id).rules
        results = run_gates(client_for(self.context.settings, revision), subject(model, rules), self._report_gate)
        self._record(revision, results)
        reason = sentence(results)
        if reason:
            raise Conflict(f"The gates did not pass. {reason}")

    def _report_gate(self, name: str, share: float) -> None:
        self.context.leave_if_asked()
        self.context.report(0.7 + 0.3 * (list(GATES).index(name) + share) / len(GATES), f"Gate: {name}")

    def _record(self, revision: Revision, results: list[GateResult]) -> None:
        certificate = [result.record() for result in results]
        overrides = [entry for entry in revision.certificate if entry["gate"] == OVERRIDE]
        if all(result.passed for result in results):
            self._change(state="ready", certificate=certificate + overrides, what="ready")
        else:
            self._change(certificate=certificate + overrides, what="gates failed")

    def _fail(self, reason: str) -> None:
        """Mark it failed and let its server go; the end of the log stays with the event."""
        revision = self._read()
        log = ""
        if revision.handle:
            folder = server_folder(self.context.settings, revision.id)
            log = self._target(revision).look(revision.handle, folder).log_tail
        self._change(state="failed", desired="stopped", error=reason, what="failed", why=reason, log=log)

    def _target(self, revision: Revision) -> ServingTarget:
        return target_of(self.context.database, self.context.settings, revision)

    def _read(self) -> Revision:
        with self.context.database.read() as session:
            found = session.get(Revision, self.revision_id)
        if found is None:
            raise NotFound("This revision no longer exists. Deploy the model again.")
        return found

    def _change(self, what: str = "", **values: Any) -> None:
        with self.context.database.write() as session:
            row = session.get_one(Revision, self.revision_id)
            detail: dict[str, Any] = {name: values.pop(name) for name in DETAILS if name in values}
            for name, value in values.items():
                setattr(row, name, value)
            row.updated_at = now()
            session.add(row)
            if what:
                EventRepository(session).add(
                    DeploymentEvent(
                        deployment_id=row.deployment_id,
                        revision_id=row.id,
                        what=what,
                        detail=detail,
                        who=self.context.created_by,
                    )
                )

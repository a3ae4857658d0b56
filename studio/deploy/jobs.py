"""The deploy job: preflight → export → launch (by the worker) → gates → ready; or failed, with the reason."""

from __future__ import annotations

import time
from typing import Any

from sqlmodel import Session

from storage.tables import Deployment, Model, Revision
from storage.types import now
from studio.access.actor import Actor
from studio.deploy.asking import client_for, server_folder
from studio.deploy.fitness import Wanted, examine, folders
from studio.deploy.gates import GATES, GateResult, run_gates, sentence, subject
from studio.deploy.hosting import place_at, target_of
from studio.deploy.live import live_figures
from studio.deploy.room import RECREATE, bring_back, make_room, take_over
from studio.deploy.rows import OVERRIDE, note, passed_gates
from studio.deploy.targets.port import Preparable, ServingTarget
from studio.errors import Conflict, NotFound, StudioError
from studio.jobs.context import JobCancelled, JobContext

POLL_S = 0.3
LOAD_TIMEOUT_S = 600.0
BIG_MODEL_EXTRA_S = 120.0
BILLION = 1_000_000_000
DETAILS = ("why", "log", "notes")


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
        if not _is_proven(revision):
            try:
                self._steps(revision)
            except JobCancelled:
                self._fail("The deployment was cancelled.")
                raise
            except StudioError as error:
                self._fail(error.message)
                raise
        return {"revision_id": revision.id, "number": revision.number}

    def _steps(self, revision: Revision) -> None:
        self.context.report(0.02, "Checking that the target can serve it")
        if revision.desired == "stopped":
            self._start_clean()
        self._preflight(self._read())
        self._export(self._read())
        self._prepare(self._read())
        self._make_room()
        self._launch()
        self._gate()
        self.context.report(1.0, "Ready")

    def _start_clean(self) -> None:
        """A retry: once the server of the failed attempt has left, this is like a first attempt."""
        while self._read().handle:
            self.context.leave_if_asked()
            time.sleep(POLL_S)
        self._change(desired="running", error=None, certificate=[])

    def _preflight(self, revision: Revision) -> None:
        """Settle the form; what makes the target refuse or misread the model ends it here, before anything starts."""
        self.context.leave_if_asked()
        self._change(state="preflight", what="preflight")
        self._target(revision)  # or its place is gone
        place = place_at(self.context.database, self.context.settings, revision.place_id)
        wanted = Wanted(self._model(revision), revision.target, revision.form, place, revision.spec)
        found = examine(self.context.artifacts, self.context.settings, wanted)
        self._change(form=found.form, digest=found.digest, what="checked", why=found.why, notes=found.notes)

    def _export(self, revision: Revision) -> None:
        self.context.leave_if_asked()
        if not self._target(revision).caps.needs_weights:
            return
        self.context.report(0.05, "Preparing the weights")
        self._change(state="exporting", what="exporting")
        folders(self.context.artifacts, self.context.settings, self._model(revision), revision.form)

    def _prepare(self, revision: Revision) -> None:
        """What the place needs before a launch and takes long, as fetching an image."""
        self.context.leave_if_asked()
        target = self._target(revision)
        if isinstance(target, Preparable):
            target.prepare(revision.spec, self._report_preparation)

    def _report_preparation(self, text: str) -> None:
        self.context.leave_if_asked()  # an image may be on its way for half an hour
        self.context.report(0.2, text)

    def _make_room(self) -> None:
        """Where only one fits, the others stop first; the worker starts ours when they have left."""
        self.context.leave_if_asked()
        with self.context.database.write() as session:
            revision = session.get_one(Revision, self.revision_id)
            if revision.strategy == RECREATE:
                make_room(session, revision, self.context.created_by)

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
        return LOAD_TIMEOUT_S + BIG_MODEL_EXTRA_S * self._model(revision).parameters / BILLION

    def _is_quantised(self, revision: Revision) -> bool:
        """Whether the server rounds the weights, by the revision's own choice or the place's."""
        place = place_at(self.context.database, self.context.settings, revision.place_id)
        return bool(revision.spec.get("quantize") or (place and place.options.get("quantize")))

    def _gate(self) -> None:
        self._change(state="gating", what="gating")
        revision = self._read()
        with self.context.database.read() as session:
            rules = session.get_one(Deployment, revision.deployment_id).rules
            model = session.get_one(Model, revision.model_id)
            base = session.get(Model, model.parent_id) if model.parent_id else None
        live = live_figures(self.context.database, self.context.settings, revision)
        names = {"base_name": base.name} if base else {}
        judged = subject(model, rules, live, quantised=self._is_quantised(revision), **names)
        results = run_gates(client_for(self.context.settings, revision), judged, self._report_gate)
        self._record(results)
        reason = sentence(results)
        if reason:
            raise Conflict(f"The gates did not pass. {reason}")

    def _report_gate(self, name: str, share: float) -> None:
        self.context.leave_if_asked()
        self.context.report(0.7 + 0.3 * (list(GATES).index(name) + share) / len(GATES), f"Gate: {name}")

    def _record(self, results: list[GateResult]) -> None:
        passed = all(result.passed for result in results)
        with self.context.database.write() as session:
            row = session.get_one(Revision, self.revision_id)
            if passed and row.desired == "stopped":
                raise Conflict("The revision was stopped while its gates were asked. Deploy it again to use it.")
            overrides = [entry for entry in row.certificate if entry["gate"] == OVERRIDE]
            row.certificate = [result.record() for result in results] + overrides
            row.updated_at = now()
            if passed:
                row.state = "ready"
                take_over(session, row, Actor.operator(self.context.created_by))
            self._note(session, row, "ready" if passed else "gates failed")

    def _fail(self, reason: str) -> None:
        """Mark it failed, let its server go and bring back who made room; the end of the log stays with the event."""
        log = self._last_words(self._read())
        with self.context.database.write() as session:
            row = session.get_one(Revision, self.revision_id)
            row.state, row.desired, row.error, row.updated_at = "failed", "stopped", reason, now()
            bring_back(session, row, self.context.created_by)
            self._note(session, row, "failed", why=reason, log=log)

    def _last_words(self, revision: Revision) -> str:
        if not revision.handle:
            return ""
        try:
            folder = server_folder(self.context.settings, revision.id)
            return self._target(revision).look(revision.handle, folder).log_tail
        except StudioError as error:  # the reason of the failure matters more than its log
            return error.message

    def _target(self, revision: Revision) -> ServingTarget:
        return target_of(self.context.database, self.context.settings, revision)

    def _model(self, revision: Revision) -> Model:
        with self.context.database.read() as session:
            return session.get_one(Model, revision.model_id)

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
            if what:
                self._note(session, row, what, **detail)

    def _note(self, session: Session, row: Revision, what: str, **detail: Any) -> None:
        note(session, row.deployment_id, row.id, what, self.context.created_by, **detail)


def _is_proven(revision: Revision) -> bool:
    """Whether an earlier attempt got to the end; its server may be restarting since."""
    return revision.state == "ready" or (revision.state == "restarting" and passed_gates(revision))

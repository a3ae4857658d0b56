"""Reconcile: make the servers that run be the ones that should, a small step at each call.

Only the worker launches servers: a job's process takes its descendants with it when it ends. The deploy job asks by
setting a revision to `launching` and waits. Nothing is remembered between calls but what the database and the
servers say, so a new worker goes on where the last one left. A server that gives no sign is not started twice: its
target says that it lives as long as it does not know better.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.deployments import EventRepository, RevisionRepository
from storage.tables import DeploymentEvent, Job, Model, Revision
from storage.types import now
from studio.deploy.asking import client_for, server_folder
from studio.deploy.fitness import folders
from studio.deploy.hosting import target_of
from studio.deploy.published import source_at
from studio.deploy.room import bring_back, must_wait
from studio.deploy.rows import ACTIVE_STATES, note, passed_gates
from studio.deploy.targets.port import Launch, Look, Running
from studio.errors import StudioError
from studio.settings import Settings

__all__ = ["Reconciler", "client_for", "reconcile", "server_folder", "stop_servers"]

LONGEST_BACK_OFF = timedelta(seconds=60)
FORGIVEN_AFTER = timedelta(minutes=10)
LAUNCH_ATTEMPTS = 3
UNSERVED_STATES = ("created", "preflight", "exporting")
SETBACKS = ("crashed", "launch failed")
CHANGED = ("state", "desired", "handle", "endpoint", "dialect", "error", "spec")


def reconcile(database: Database, settings: Settings, artifacts: Artifacts) -> None:
    """One pass over every revision that should run or should stop, one after another."""
    with database.read() as session:
        found = RevisionRepository(session).to_reconcile()
    errors = [error for revision in found if (error := step(database, settings, artifacts, revision))]
    if errors:
        raise errors[0]


def step(database: Database, settings: Settings, artifacts: Artifacts, revision: Revision) -> StudioError | None:
    """One revision's step; its error must not keep the others from theirs."""
    try:
        Reconciler(database, settings, artifacts, revision).step()
    except StudioError as error:
        return error
    return None


def stop_servers(database: Database, settings: Settings, artifacts: Artifacts) -> None:
    """Ask the servers that live with the studio to leave, at its clean end; the next start brings them back.

    Containers and servers elsewhere go on: they are adopted by the next start.
    """
    with database.read() as session:
        found = RevisionRepository(session).with_server()
    for revision in found:
        Reconciler(database, settings, artifacts, revision).suspend()


class Reconciler:
    """The next step for one revision."""

    def __init__(self, database: Database, settings: Settings, artifacts: Artifacts, revision: Revision) -> None:
        self.database, self.settings, self.artifacts, self.revision = database, settings, artifacts, revision
        self.target = target_of(database, settings, revision)
        self.folder = server_folder(settings, revision.id)

    def step(self) -> None:
        """Launch, notice a crash, notice recovery, or stop."""
        if self.revision.desired == "stopped":
            self._stop()
        elif self.revision.state in ACTIVE_STATES and (why := self._job_ended()):
            self._change("failed", state="failed", desired="stopped", error=why, why=why)
        elif self.revision.state in UNSERVED_STATES:
            return
        elif not self.revision.handle:
            self._launch()
        elif not (seen := self.target.look(self.revision.handle, self.folder)).alive:
            self._crashed(seen)
        elif seen.endpoint and seen.endpoint != self.revision.endpoint:
            self._change("address known", endpoint=seen.endpoint)
        elif self.revision.state == "restarting":
            self._recovered()

    def _job_ended(self) -> str:
        """Why the deploy job will not bring the revision further; empty while it may."""
        with self.database.read() as session:
            job = session.get(Job, str(self.revision.spec.get("job_id", "")))
        if job is None or job.status not in ("failed", "cancelled"):
            return ""
        return job.error or f"The deployment was {job.status}."

    def suspend(self) -> None:
        """Stop the server without calling it a crash; it stays wanted."""
        if self.target.caps.outlives_studio:
            return
        self.target.stop(self.revision.handle)
        self._change("suspended", state=self._without_server, handle="", endpoint="")

    @property
    def _without_server(self) -> str:
        """Its state once it has lost its server: one whose gates have not ended is not ready by being healthy again."""
        return {"gating": "launching", "ready": "restarting"}.get(self.revision.state, self.revision.state)

    def _launch(self) -> None:
        if now() < self._not_before() or self._must_wait():
            return
        try:
            running = self.target.launch(self._launch_request())
        except (StudioError, OSError, ValueError, TypeError) as error:  # a wrong option must not end the worker
            message = error.message if isinstance(error, StudioError) else f"The server could not be started: {error}."
            self._not_launched(message)
            return
        self._started(running)

    def _must_wait(self) -> bool:
        with self.database.read() as session:
            return must_wait(session, self.revision)

    def _not_launched(self, why: str) -> None:
        """What was proven before is tried again, later and later: its place may be away for a while."""
        if passed_gates(self.revision) and self.revision.state not in ACTIVE_STATES:
            self._change("launch failed", state="restarting", why=why)
        else:
            self._change("failed", state="failed", error=why, why=why)

    def _launch_request(self) -> Launch:
        with self.database.read() as session:
            model = session.get_one(Model, self.revision.model_id)
        weights = folders(self.artifacts, self.settings, model, self.revision.form) if self._needs_weights else None
        return Launch(
            revision_id=self.revision.id,
            served_name=str(self.revision.spec["served_name"]),
            model_folder=weights.model if weights else self.folder,
            folder=self.folder,
            api_key=client_for(self.settings, self.revision).api_key,
            parameters=model.parameters,
            options=self.revision.spec,
            adapter_folder=weights.adapter if weights else None,
            repository=source_at(model, self.revision.target),
            deployment_id=self.revision.deployment_id,
        )

    @property
    def _needs_weights(self) -> bool:
        return self.target.caps.needs_weights

    def _started(self, running: Running) -> None:
        state = "restarting" if self.revision.state == "ready" else self.revision.state
        place: dict[str, Any] = {"handle": running.handle, "endpoint": running.endpoint, "dialect": running.dialect}
        if running.served_name:
            place["spec"] = {**self.revision.spec, "served_name": running.served_name}
        kept = self._change("launched", state=state, **place)
        if not kept:  # stopped or deleted meanwhile: nobody will ask for this server
            self.target.stop(running.handle)

    def _crashed(self, look: Look) -> None:
        given_up = self.revision.state == "launching" and len(self._setbacks()) + 1 >= LAUNCH_ATTEMPTS
        state = "failed" if given_up else self._without_server
        changes: dict[str, Any] = {"state": state, "handle": "", "endpoint": ""}
        code = "" if look.exit_code is None else f", last with exit code {look.exit_code}"
        if given_up:
            changes["error"] = f"The server ended {LAUNCH_ATTEMPTS} times while starting{code}. See the end of its log."
        self._change("crashed", **changes, log=look.log_tail, exit_code=look.exit_code)

    def _recovered(self) -> None:
        client = client_for(self.settings, self.revision)
        try:
            well = client.healthy() and client.name in client.names()
        except StudioError:
            well = False  # still loading, or somebody else's server on that port: the next pass looks again
        if well:
            self._change("ready again", state="ready")

    def _stop(self) -> None:
        handle = self.revision.handle
        seen = self.target.look(handle, self.folder) if handle else Look(False)
        if not seen.alive:
            state = "failed" if self.revision.error else "stopped"
            told = {"log": seen.log_tail, "exit_code": seen.exit_code} if handle else {}
            self._change("stopped", state=state, handle="", endpoint="", **told)
        elif self.revision.state != "stopping":
            self.target.stop(handle)
            self._change("stopping", state="stopping")
        elif now() - self.revision.updated_at > timedelta(seconds=self.target.caps.grace_s):
            self.target.stop(handle, now=True)

    def _not_before(self) -> Any:
        """1, 2, 4 ... 60 s after the last crash; crashes long ago are forgiven."""
        crashes = self._setbacks()
        if not crashes:
            return self.revision.created_at
        wait = min(timedelta(seconds=2 ** (len(crashes) - 1)), LONGEST_BACK_OFF)
        return crashes[0].at + wait

    def _setbacks(self) -> list[DeploymentEvent]:
        """Crashes and failed launches of late, newest first."""
        with self.database.read() as session:
            events = EventRepository(session)
            found = [event for what in SETBACKS for event in events.of_revision(self.revision.id, what)]
        recent = [event for event in found if now() - event.at < FORGIVEN_AFTER]
        return sorted(recent, key=lambda event: event.at, reverse=True)

    def _change(self, what: str, **values: Any) -> bool:
        """Write the change and its event, unless somebody changed what we decided on. Whether it was written."""
        columns = {name: value for name, value in values.items() if name in CHANGED}
        detail = {name: value for name, value in values.items() if name not in CHANGED}
        with self.database.write() as session:
            row = session.get(Revision, self.revision.id, with_for_update=True)
            if row is None or (row.desired, row.state, row.handle) != self._seen():
                return False
            for name, value in columns.items():
                setattr(row, name, value)
            row.updated_at = now()
            session.add(row)
            note(session, row.deployment_id, row.id, what, "worker", **detail)
            if columns.get("state") == "failed":
                bring_back(session, row, "worker")
            return True

    def _seen(self) -> tuple[str, str, str]:
        return self.revision.desired, self.revision.state, self.revision.handle

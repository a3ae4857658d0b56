"""Forgetting a user: every capability deletes its part, in the order in which one depends on another."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.forgetting import ForgettingRepository
from storage.repositories.jobs import JobRepository
from storage.tables import DatasetVersion
from studio.access.actor import Actor
from studio.access.audit import record
from studio.access.secrets import SecretBox
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.forget import (
    CallsForgotten,
    State,
    forget_calls,
    forget_files,
    forget_pseudonyms,
    stop_arrivals,
    wait_for_journal,
)
from studio.capture.privacy.keeping import fresh_cleaner
from studio.curate.forget import forget_examples, forget_in_versions
from studio.deploy.forget import forget_in_proofs, forget_in_revisions
from studio.evaluate.forget import forget_outputs
from studio.jobs.context import JobContext
from studio.label.backend import LabelingBackend
from studio.label.forget import forget_labels
from studio.settings import Settings
from studio.train.forget import forget_in_runs

JOURNAL_S = 900.0
"""A gateway ends a journal file after ten minutes at the latest; then it is read and deleted."""


@dataclass
class Forgetting:
    """One user of one project. Safe to start again at any point: what is gone is not found again."""

    database: Database
    artifacts: Artifacts
    settings: Settings
    platform: Callable[[], LabelingBackend]
    report: Callable[[float, str], None]
    leave_if_asked: Callable[[], None]

    def run(self, project_id: str, user_id: str, state: State, journal_s: float = JOURNAL_S) -> dict[str, Any]:
        """Delete everything; the report of what went and of what learned from it."""
        done = state.load()
        state.save(done)
        users = names_of(fresh_cleaner(self.settings.secrets, self.database), project_id, user_id)
        stop_arrivals(self.settings, project_id, users, done.at)
        self._calls(project_id, users, done, state)
        left = wait_for_journal(self.settings, done.at, time.time() + journal_s, self._waiting)
        self._calls(project_id, users, done, state)  # what was on its way when the first round began
        forget_files(self.settings, self.database, project_id, users, done)
        state.save(done)
        told = self._what_was_made(project_id, done)
        forget_pseudonyms(self.database, project_id, users, done)
        return {**_counts(done), **told, "journal_files_left": left}

    def _calls(self, project_id: str, users: set[str], done: CallsForgotten, state: State) -> None:
        with self.database.read() as session:
            expected = max(ForgettingRepository(session).count_calls(project_id, users) + done.calls, 1)

        def keep(so_far: CallsForgotten) -> None:
            state.save(so_far)
            self.report(0.5 * so_far.calls / expected, f"{so_far.calls:,} of {expected:,} calls deleted")
            self.leave_if_asked()

        forget_calls(self.database, project_id, users, done, keep)

    def _what_was_made(self, project_id: str, done: CallsForgotten) -> dict[str, Any]:
        examples = done.examples
        self.report(0.7, f"Forgetting {len(examples):,} examples")
        records, items = forget_labels(self.database, self.platform, examples)
        outputs = forget_outputs(self.database, examples)
        self.report(0.8, "Writing frozen versions again without them")
        versions = forget_in_versions(self.database, self.artifacts, project_id, examples, self._what_learned)
        forget_in_proofs(self.database, project_id, examples)
        forget_examples(self.database, examples)
        return {
            "examples": len(examples),
            "label_items": items,
            "platform_records": records,
            "evaluation_outputs": outputs,
            "versions": [{"id": each.id, "dataset_id": each.dataset_id, "number": each.number} for each in versions],
            "models_that_learned": self._models(versions),
        }

    def _what_learned(self, version_id: str) -> None:
        forget_in_runs(self.database, self.settings, version_id)
        forget_in_revisions(self.database, version_id)

    def _models(self, versions: list[DatasetVersion]) -> list[dict[str, str]]:
        with self.database.read() as session:
            found = ForgettingRepository(session).models_of([version.id for version in versions])
        return [{"id": key, "name": name} for key, name in found]

    def _waiting(self) -> None:
        self.report(0.6, "Waiting until the gateway's open journal files end (ten minutes at most)")
        self.leave_if_asked()


def names_of(cleaner: Cleaner, project_id: str, user_id: str) -> set[str]:
    """The user's id as it may have been written down: as it is, and as the mark that stands for it."""
    return {user_id, *cleaner.names(project_id, user_id)}


def forget_user(context: JobContext, platform: Callable[[], LabelingBackend]) -> dict[str, Any]:
    """The job; spec: project_id, user (a mark), sealed (the id). Afterwards only the mark is left of the id."""
    project_id, sealed = str(context.spec["project_id"]), str(context.spec.get("sealed") or "")
    user_id = SecretBox(context.settings.secrets).decrypt(sealed) if sealed else ""
    work = Forgetting(
        context.database, context.artifacts, context.settings, platform, context.report, context.leave_if_asked
    )
    state = State(context.folder)
    report = work.run(project_id, user_id, state) if user_id else {}
    with context.database.write() as session:
        job = JobRepository(session).get(context.job_id)
        if job is not None:
            job.spec = {name: value for name, value in context.spec.items() if name != "sealed"}
            session.add(job)
        user, told = str(context.spec.get("user")), {name: value for name, value in report.items() if value}
        record(session, Actor.operator(context.created_by), "forgot a user", user, project_id=project_id, **told)
    state.clear()
    return report


def _counts(done: CallsForgotten) -> dict[str, int]:
    return {name: value for name, value in vars(done).items() if isinstance(value, int)}

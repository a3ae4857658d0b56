"""Turns: what production taught goes back into the dataset, and the loop starts again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from storage.database import Database
from storage.repositories.turns import ProductionRepository, TurnRepository
from storage.tables import Feedback, Job, LogEntry, Turn
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.curate.datasets import Datasets, found_dataset
from studio.curate.intake import Added
from studio.errors import Conflict, InvalidInput
from studio.improve.production import ModelFeedback, Savings, Verdict, by_model, savings, verdicts
from studio.jobs.queue import Jobs

OVERLAP = timedelta(minutes=10)
"""Feedback is read again this far back, because a slow write may carry an earlier time than a quick one."""


@dataclass(frozen=True)
class Waiting:
    """Judged calls that no turn has taken in yet."""

    calls: int
    up: int
    down: int
    corrections: int
    since: datetime | None

    @property
    def sentence(self) -> str:
        """What the next turn would take in."""
        if not self.calls:
            return "No new feedback since the last turn." if self.since else "No feedback yet."
        return (
            f"{self.calls:,} judged calls wait for the next turn: {self.corrections:,} corrected, "
            f"{self.up:,} thumbs up, {self.down:,} thumbs down."
        )


@dataclass(frozen=True)
class NextStep:
    """Something worth doing now, and the page to do it on."""

    text: str
    page: str


class Improve:
    """Everything the Improve page and the command line do."""

    def __init__(self, database: Database, jobs: Jobs, datasets: Datasets) -> None:
        self.database = database
        self.jobs = jobs
        self.datasets = datasets

    def by_model(self, project_id: str, since: datetime | None = None) -> list[ModelFeedback]:
        """Calls and feedback of each served model, with Wilson intervals; busiest first within an alias."""
        with self.database.read() as session:
            production = ProductionRepository(session)
            return by_model(production.by_served_model(project_id, since), production.names())

    def verdicts(self, project_id: str, since: datetime | None = None) -> list[Verdict]:
        """Each deployed model against the provider's model of its alias, on what people said."""
        return verdicts(self.by_model(project_id, since))

    def savings(self, project_id: str, since: datetime | None = None) -> list[Savings]:
        """What deployed models saved, by alias."""
        return savings(self.by_model(project_id, since))

    def stream(self, project_id: str, limit: int = 50) -> list[tuple[Feedback, LogEntry]]:
        """The newest feedback with its call."""
        with self.database.read() as session:
            return ProductionRepository(session).stream(project_id, limit)

    def turns(self, project_id: str) -> list[Turn]:
        """The project's turns, newest first."""
        with self.database.read() as session:
            return TurnRepository(session).of_project(project_id)

    def waiting(self, project_id: str) -> Waiting:
        """What the next turn would take in."""
        with self.database.read() as session:
            since = taken_until(TurnRepository(session).latest(project_id))
            return Waiting(*ProductionRepository(session).judged(project_id, since), since)

    def next_steps(self, project_id: str) -> list[NextStep]:
        """What production suggests to do now, most useful first."""
        waiting, found = self.waiting(project_id), self.verdicts(project_id)
        steps = [
            NextStep(f"{each.first.name} does worse than {each.second.name}: undo it.", "deploy")
            for each in found
            if each.shown and each.difference < 0
        ]
        if waiting.calls:
            steps.append(NextStep(waiting.sentence, "improve"))
        steps += [
            NextStep(f"{each.first.name} does better: give it more traffic.", "deploy")
            for each in found
            if each.shown and each.difference > 0
        ]
        return steps

    def start_next_turn(self, actor: Actor, project_id: str, dataset_id: str) -> Job:
        """Start taking new feedback into the dataset and freezing it. Raises Conflict when there is none."""
        waiting = self.waiting(project_id)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            if found_dataset(session, dataset_id).project_id != project_id:
                raise InvalidInput("Choose a dataset of this project.")
            if not waiting.calls:
                raise Conflict(f"{waiting.sentence} Collect thumbs or corrections through the API first.")
            spec = {"project_id": project_id, "dataset_id": dataset_id}
            return self.jobs.enqueue(session, actor, "next_turn", spec, title="Start next turn", project_id=project_id)

    def take_turn(
        self,
        actor: Actor,
        project_id: str,
        dataset_id: str,
        job_id: str = "",
        on_batch: Callable[[Added], None] = lambda _added: None,
    ) -> Turn:
        """Take in what was said since the last turn, freeze, and record the turn; once per job."""
        started = now()
        with self.database.read() as session:
            turns = TurnRepository(session)
            done = next(
                (turn for turn in turns.of_project(project_id) if job_id and turn.taken.get("job_id") == job_id), None
            )
            since = taken_until(turns.latest(project_id))
            judged = ProductionRepository(session).judged(project_id, since)
        if done:
            return done
        added = self._take_in(actor, project_id, dataset_id, since, on_batch)
        version = self.datasets.freeze_now(actor, dataset_id, "Feedback from production")
        counts = dict(zip(("calls", "up", "down", "corrections"), judged, strict=True))
        taken = {**counts, **added.to_dict(), "until": started.isoformat(), "job_id": job_id}
        with self.database.write() as session:
            return _record(session, actor, project_id, dataset_id, version.id, taken)

    def _take_in(
        self, actor: Actor, project_id: str, dataset_id: str, since: datetime | None, on_batch: Callable[[Added], None]
    ) -> Added:
        total, from_then = Added(), since and since - OVERLAP
        with self.database.read() as session:
            for batch in ProductionRepository(session).with_feedback(project_id, from_then):
                total.plus(self.datasets.add_entries(actor, dataset_id, batch))
                on_batch(total)
        return total


def taken_until(turn: Turn | None) -> datetime | None:
    """The moment up to which a turn took feedback in."""
    return datetime.fromisoformat(turn.taken["until"]) if turn and turn.taken.get("until") else None


def _record(
    session: Session, actor: Actor, project_id: str, dataset_id: str, version_id: str, taken: dict[str, Any]
) -> Turn:
    permit(session, actor, Role.EDITOR)
    turns = TurnRepository(session)
    latest = turns.latest(project_id)
    turn = Turn(
        project_id=project_id,
        number=latest.number + 1 if latest else 1,
        dataset_id=dataset_id,
        dataset_version_id=version_id,
        taken=taken,
        created_by=actor.username,
    )
    return turns.add(turn)

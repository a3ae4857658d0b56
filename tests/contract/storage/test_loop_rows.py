"""Datasets, evaluations and turns give the same answers on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.evaluations import EvaluationOutputRepository
from storage.repositories.turns import ProductionRepository, TurnRepository
from storage.tables import (
    DatasetVersion,
    Deployment,
    Evaluation,
    EvaluationOutput,
    LogEntry,
    Model,
    Project,
    Revision,
    Turn,
)
from storage.types import now
from studio.access.actor import Actor
from studio.capture.feedback import FeedbackIntake
from studio.capture.filters import LogFilter
from studio.curate.datasets import Datasets
from studio.improve.turns import Improve
from studio.jobs.queue import Jobs

OPERATOR = Actor.operator()
CITIES = ("Zürich", "Łódź", "Paris", "Oslo", "Rome", "Cork")


def filled(database: Database) -> tuple[Project, list[LogEntry]]:
    """Six calls to an alias, half of them answered by a revision."""
    with database.write() as session:
        project = Project(name="support")
        session.add(project)
        session.flush()
        model = Model(project_id=project.id, name="small", kind="tuned")
        deployment = Deployment(project_id=project.id, alias="triage")
        session.add_all([model, deployment])
        session.flush()
        revision = Revision(deployment_id=deployment.id, model_id=model.id, number=1)
        session.add(revision)
        session.flush()
        entries = [
            LogEntry(
                project_id=project.id,
                model="triage",
                served_model="small" if number % 2 else "big",
                revision_id=revision.id if number % 2 else None,
                messages=[{"role": "user", "content": f"Parcel to {city}, 100% late"}],
                reply={"role": "assistant", "content": "noted"},
                cost_usd=0.5,
                latency_ms=10.0,
            )
            for number, city in enumerate(CITIES)
        ]
        session.add_all(entries)
    return project, entries


def test_examples_are_added_found_counted_and_frozen_alike(stored: Database, tmp_path: Path) -> None:
    project, _entries = filled(stored)
    datasets = Datasets(stored, Artifacts(f"file://{tmp_path}"), Jobs(stored))
    dataset = datasets.create(OPERATOR, project.id, "parcels", golden_percent=0)
    assert datasets.add_logs_now(OPERATOR, dataset.id, LogFilter(project.id)).new == 6
    assert datasets.add_logs_now(OPERATOR, dataset.id, LogFilter(project.id)).unchanged == 6
    assert len(datasets.examples(dataset.id, text="Łódź")) == 1
    assert len(datasets.examples(dataset.id, text="100%")) == 6 and datasets.examples(dataset.id, text="1_0") == []
    first, *_ = datasets.examples(dataset.id, limit=1)
    assert datasets.exclude(OPERATOR, [first.id]) == 1
    assert datasets.summary(dataset.id).excluded == {"by_hand": 1}
    version = datasets.freeze_now(OPERATOR, dataset.id)
    assert version.train_rows == 5 and datasets.freeze_now(OPERATOR, dataset.id).id == version.id


def test_an_answer_given_again_replaces_the_first(stored: Database) -> None:
    project, _entries = filled(stored)
    datasets = Datasets(stored, Artifacts("memory://loop"), Jobs(stored))
    dataset = datasets.create(OPERATOR, project.id, "parcels")
    with stored.write() as session:
        model = Model(project_id=project.id, name="big", kind="provider")
        version = DatasetVersion(dataset_id=dataset.id, number=1, digest="0", train_rows=0, golden_rows=1)
        session.add_all([model, version])
        session.flush()
        evaluation = Evaluation(project_id=project.id, dataset_version_id=version.id, name="e")
        session.add(evaluation)
    for output, score in (("first", 0.0), ("second", 1.0)):
        with stored.write() as session:
            row = EvaluationOutput(evaluation_id=evaluation.id, model_id=model.id, example_id="x", output=output)
            row.scores = {"exact_match": score}
            EvaluationOutputRepository(session).upsert([row])
    with stored.read() as session:
        (kept,) = EvaluationOutputRepository(session).of(evaluation.id)
    assert (kept.output, kept.scores) == ("second", {"exact_match": 1.0})


def test_production_is_grouped_and_judged_alike(stored: Database) -> None:
    project, entries = filled(stored)
    intake = FeedbackIntake(stored)
    for number, entry in enumerate(entries[:4]):
        intake.give(project.id, uid=entry.uid, kind="thumbs", value=number % 2)
    intake.give(project.id, uid=entries[0].uid, kind="correction", text="better")
    improve = Improve(stored, Jobs(stored), Datasets(stored, Artifacts("memory://loop"), Jobs(stored)))
    found = {model.name: model for model in improve.by_model(project.id, now() - timedelta(days=1))}
    assert (found["small"].up, found["small"].calls, found["small"].cost_usd) == (2, 3, 1.5)
    assert (found["big"].down, found["big"].corrections, found["big"].mean_latency_ms) == (2, 1, 10.0)
    assert improve.by_model(project.id, now() + timedelta(days=1)) == []
    waiting = improve.waiting(project.id)
    assert (waiting.calls, waiting.up, waiting.down, waiting.corrections) == (4, 2, 2, 1)
    with stored.read() as session:
        batches = list(ProductionRepository(session).with_feedback(project.id, None))
        assert [entry.id for batch in batches for entry in batch] == [entry.id for entry in entries[:4]]
        assert ProductionRepository(session).judged(project.id, now()) == (0, 0, 0, 0)


def test_the_latest_turn_is_the_one_with_the_highest_number(stored: Database) -> None:
    project, _entries = filled(stored)
    dataset = Datasets(stored, Artifacts("memory://loop"), Jobs(stored)).create(OPERATOR, project.id, "parcels")
    with stored.write() as session:
        session.add_all(Turn(project_id=project.id, number=number, dataset_id=dataset.id) for number in (2, 10, 9))
    with stored.read() as session:
        latest = TurnRepository(session).latest(project.id)
    assert latest is not None and latest.number == 10

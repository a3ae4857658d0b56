"""What was known of a revision when it got its traffic: which bytes, learned from which data, how good, proven how."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlmodel import Session

from storage.repositories.deployments import RevisionRepository
from storage.repositories.evaluations import EvaluationRepository
from storage.tables import Dataset, DatasetVersion, Evaluation, Model, Revision, TrainingRun
from studio.deploy.rows import OVERRIDE


def evidence_of(session: Session, deployment_id: str, revision_ids: Iterable[str]) -> dict[str, Any]:
    """By revision; it is copied into the release, so that what happens later does not change it."""
    wanted = set(revision_ids)
    rows = RevisionRepository(session).of(deployment_id)
    return {row.id: _of(session, row) for row in rows if row.id in wanted}


def _of(session: Session, revision: Revision) -> dict[str, Any]:
    model = session.get_one(Model, revision.model_id)
    return {
        "number": revision.number,
        "digest": revision.digest or model.digest,
        "form": revision.form,
        **known_of(session, model),
        **proven(revision),
    }


def known_of(session: Session, model: Model) -> dict[str, Any]:
    """Its data version, and the newest evaluation of it with its scores; empty where there is none."""
    version = _version(session, model)
    evaluation = _evaluation(session, model, version)
    return {
        "model": model.name,
        "dataset_version_id": version.id if version else None,
        "dataset": _name(session, version) if version else "",
        "dataset_version": version.number if version else None,
        "evaluation_id": evaluation.id if evaluation else None,
        "evaluated_on": _evaluated_on(session, evaluation) if evaluation else "",
        "scores": dict(evaluation.summary["models"][model.id]) if evaluation else {},
    }


def proven(revision: Revision) -> dict[str, Any]:
    """Its gates by name, and the last override of them with its written reason."""
    entries = revision.certificate or []
    overrides = [entry for entry in entries if entry["gate"] == OVERRIDE]
    return {
        "gates": {entry["gate"]: entry["passed"] for entry in entries if entry["gate"] != OVERRIDE},
        "override": {**overrides[-1]["evidence"], "at": overrides[-1].get("at", "")} if overrides else None,
    }


def _version(session: Session, model: Model) -> DatasetVersion | None:
    run = session.get(TrainingRun, model.training_run_id) if model.training_run_id else None
    return session.get(DatasetVersion, run.dataset_version_id) if run else None


def _evaluation(session: Session, model: Model, version: DatasetVersion | None) -> Evaluation | None:
    """The newest that judged this model: on the data it learned from if there is one, else on any."""
    found = [
        each
        for each in EvaluationRepository(session).of_project(model.project_id)
        if each.finished_at and model.id in each.summary.get("models", {})
    ]
    own = [each for each in found if version and each.dataset_version_id == version.id]
    return next(iter([*own, *found]), None)


def _evaluated_on(session: Session, evaluation: Evaluation) -> str:
    version = session.get_one(DatasetVersion, evaluation.dataset_version_id)
    return f"{_name(session, version)} version {version.number}"


def _name(session: Session, version: DatasetVersion) -> str:
    return session.get_one(Dataset, version.dataset_id).name

"""Golden examples that a compared model was trained on: decided to be golden after a version with them was frozen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlmodel import Session

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Model, TrainingRun
from studio.curate.snapshot import Row, read_split


def without_seen(rows: list[Row], database: Database, artifacts: Artifacts, models: Iterable[Model]) -> list[Row]:
    """The rows whose prompt none of the models, nor one they were trained from, has learned."""
    wanted = {row.prompt_hash for row in rows}
    with database.read() as session:
        digests = {digest for model in models for digest in _learned_from(session, model)}
    seen = {row.prompt_hash for digest in digests for row in read_split(artifacts, digest, "train")} & wanted
    return [row for row in rows if row.prompt_hash not in seen]


def _learned_from(session: Session, model: Model | None) -> Iterator[str]:
    """Digests of the versions in the model's line of training."""
    while model is not None and model.training_run_id:
        run = session.get(TrainingRun, model.training_run_id)
        version = session.get(DatasetVersion, run.dataset_version_id) if run else None
        if version is not None:
            yield version.digest
        model = session.get(Model, run.base_model_id) if run else None

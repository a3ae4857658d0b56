"""A run that has ended and doubts some of its rows."""

from __future__ import annotations

from storage.database import Database
from storage.repositories.doubts import DoubtRepository
from storage.tables import DatasetVersion, Doubt, Model, Project, TrainingRun


def doubting_run(
    database: Database, project: Project, dataset_id: str, doubts: dict[str, float], number: int = 1
) -> str:
    """Train on a version of the dataset, and doubt the examples named with these surprises."""
    with database.write() as session:
        version = DatasetVersion(
            dataset_id=dataset_id, number=100 + number, digest=str(number), train_rows=4, golden_rows=0
        )
        base = Model(project_id=project.id, name=f"base {number}", kind="base")
        session.add_all([version, base])
        session.flush()
        places = {"project_id": project.id, "dataset_version_id": version.id, "base_model_id": base.id}
        run = TrainingRun(name=f"run {number}", **places)
        session.add(run)
        session.flush()
        DoubtRepository(session).replace(run.id, [_doubt(dataset_id, run.id, *each) for each in doubts.items()])
        return run.id


def doubt_again(database: Database, dataset_id: str, run_id: str, doubts: dict[str, float]) -> None:
    """The same run, attempted once more, doubts other examples."""
    with database.write() as session:
        DoubtRepository(session).replace(run_id, [_doubt(dataset_id, run_id, *each) for each in doubts.items()])


def _doubt(dataset_id: str, run_id: str, example_id: str, surprise: float) -> Doubt:
    keys = {"dataset_id": dataset_id, "example_id": example_id, "training_run_id": run_id}
    return Doubt(**keys, surprise=surprise, answer="no  way")

"""No model is measured on a prompt it was trained on, whichever version the prompt is golden in."""

from __future__ import annotations

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Model, Project, TrainingRun
from studio.evaluate.seen import without_seen
from tests.fakes.frozen_rows import freeze_rows, make_row

LATER_GOLDEN = [make_row("moved to golden", split="golden"), make_row("always golden", split="golden")]


def trained_on(database: Database, project: Project, version: DatasetVersion, base: Model, name: str) -> Model:
    with database.write() as session:
        facts = {"project_id": project.id, "dataset_version_id": version.id, "base_model_id": base.id}
        run = TrainingRun(name=name, **facts)
        session.add(run)
        session.flush()
        model = Model(project_id=project.id, name=name, kind="tuned", training_run_id=run.id, parent_id=base.id)
        session.add(model)
    return model


def base_model(database: Database, project: Project) -> Model:
    with database.write() as session:
        made = Model(project_id=project.id, name="base", kind="base")
        session.add(made)
    return made


def test_rows_a_model_or_its_parent_learned_are_left_out(
    database: Database, artifacts: Artifacts, project: Project
) -> None:
    version = freeze_rows(database, artifacts, project.id, [make_row("moved to golden")], [])
    base = base_model(database, project)
    tuned = trained_on(database, project, version, base, "first")
    with database.write() as session:
        other = DatasetVersion(
            dataset_id=version.dataset_id, number=2, digest=version.digest, train_rows=0, golden_rows=0
        )
        session.add(other)
    continued = trained_on(database, project, other, tuned, "second")
    for model in (tuned, continued):
        left = without_seen(LATER_GOLDEN, database, artifacts, [base, model])
        assert [row.messages[-1]["content"] for row in left] == ["always golden"]


def test_models_that_were_not_trained_here_have_seen_nothing(
    database: Database, artifacts: Artifacts, project: Project
) -> None:
    assert without_seen(LATER_GOLDEN, database, artifacts, [base_model(database, project)]) == LATER_GOLDEN

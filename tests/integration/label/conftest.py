"""A dataset with examples, teammates, and labeling on the real Argilla."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.database import Database
from storage.tables import Dataset, Example, LabelTask, Person, Project
from studio.access.actor import Actor
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs
from studio.label.draft import TaskDraft
from studio.label.jobs import publish
from studio.label.tasks import Labeling
from studio.settings import Settings
from tests.fakes.argilla_process import ArgillaProcess, running_argilla

HOSTILE = '<img src=x onerror="document.title=\'owned\'"> **bold** <script>document.title="owned"</script>'


@pytest.fixture
def argilla() -> ArgillaProcess:
    return running_argilla()


@pytest.fixture
def settings(tmp_path: object, argilla: ArgillaProcess) -> Settings:
    """The studio's home holds Argilla's, as in a real installation; the database is this test's own."""
    home = argilla.home.parent
    return Settings(home=home, argilla_port=argilla.port, database_url=f"sqlite:///{tmp_path}/studio.db")


@pytest.fixture
def database(settings: Settings, migrated_file: object) -> object:
    import shutil

    shutil.copy(str(migrated_file), settings.database.removeprefix("sqlite:///"))
    opened = Database(settings.database)
    yield opened
    opened.close()


@pytest.fixture
def dataset(database: Database, project: Project) -> Dataset:
    with database.write() as session:
        made = Dataset(project_id=project.id, name="tickets")
        session.add(made)
        session.flush()
        for number in range(20):
            text = f"ticket number{number} {HOSTILE if number == 0 else 'the parcel is late'}"
            answer = f'{{"category": "shipping", "n": {number}}}'
            session.add(
                Example(
                    dataset_id=made.id,
                    messages=[{"role": "system", "content": "Triage."}, {"role": "user", "content": text}],
                    output=answer,
                    original_output=answer,
                    split="golden" if number < 10 else "train",
                    prompt_hash=f"{number:064d}",
                )
            )
        for name in ("mia", "noah"):
            session.add(Person(username=name, role="labeler"))
    return made


@pytest.fixture
def labeling(database: Database, settings: Settings, argilla: ArgillaProcess) -> Labeling:
    return Labeling(database, Jobs(database), lambda: argilla.backend, settings)


@pytest.fixture
def run_publish(database: Database, settings: Settings, artifacts: object, tmp_path: object) -> Callable[[str], None]:
    """Run the publish handler as the worker's child process would."""

    def run(task_id: str) -> None:
        context = JobContext("job", 1, "publish", {"task_id": task_id}, tmp_path, settings, database, artifacts)  # type: ignore[arg-type]
        publish(context)

    return run


@pytest.fixture
def task(labeling: Labeling, dataset: Dataset, run_publish: Callable[[str], None]) -> LabelTask:
    made = labeling.create(Actor.operator(), TaskDraft(dataset.id, "Golden set", size=20, people=("mia", "noah")))
    run_publish(made.id)
    return labeling.get(made.id)

"""A dataset, teammates, and labeling on the platform in memory."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from storage.database import Database
from storage.tables import Dataset, Example, LabelTask, Person, Project
from studio.access.actor import Actor
from studio.jobs.queue import Jobs
from studio.label.draft import TaskDraft
from studio.label.publishing import publish_task
from studio.label.tasks import Labeling
from studio.settings import Settings
from tests.fakes.labeling import FakePlatform


@dataclass
class Desk:
    """Labeling with shortcuts for tests."""

    labeling: Labeling
    platform: FakePlatform
    dataset: Dataset
    project: Project

    def send(self, **choices: object) -> LabelTask:
        return self.publish(self.labeling.create(Actor.operator(), self.draft(**choices)))

    def draft(self, **choices: object) -> TaskDraft:
        asked = {"name": "Golden set", "size": 4, "people": ("mia", "noah"), **choices}
        return TaskDraft(self.dataset.id, **asked)  # type: ignore[arg-type]

    def publish(self, task: LabelTask) -> LabelTask:
        return publish_task(self.labeling.database, self.platform, task.id, lambda _sent, _total: None)

    def ids(self, task: LabelTask) -> list[str]:
        return [item.id for item, _example in self.labeling.items(task.id)]

    def example(self, task: LabelTask, item_id: str) -> Example:
        return next(example for item, example in self.labeling.items(task.id) if item.id == item_id)

    def say(
        self, task: LabelTask, who: str, item_id: str, verdict: str, output: str = "", status: str = "submitted"
    ) -> None:
        values = {"verdict": verdict, **({"output": output} if output else {})}
        self.platform.say(task.backend_ref, who, item_id, status, values)

    def change(self, example_id: str, **values: object) -> None:
        with self.labeling.database.write() as session:
            row = session.get(Example, example_id)
            for name, value in values.items():
                setattr(row, name, value)


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform()


@pytest.fixture
def desk(database: Database, project: Project, settings: Settings, platform: FakePlatform) -> Desk:
    with database.write() as session:
        dataset = Dataset(project_id=project.id, name="tickets")
        session.add(dataset)
        session.flush()
        for number in range(12):
            session.add(_example(dataset.id, number))
        for name, role in (("mia", "labeler"), ("noah", "labeler"), ("otto", "labeler"), ("vera", "viewer")):
            session.add(Person(username=name, role=role))
    return Desk(Labeling(database, Jobs(database), lambda: platform, settings), platform, dataset, project)


def _example(dataset_id: str, number: int) -> Example:
    answer = f'{{"category": "billing", "n": {number}}}'
    return Example(
        dataset_id=dataset_id,
        messages=[{"role": "user", "content": f"ticket {number}"}],
        output=answer,
        original_output=answer,
        split="golden" if number < 6 else "train",
        prompt_hash=f"{number:064d}",
    )

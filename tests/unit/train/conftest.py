"""A frozen version and a base model for the Train tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Model, Project
from studio.access.actor import Actor
from studio.curate.snapshot import Row
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train.models import Models
from studio.train.runs import Training
from tests.fakes.frozen_rows import base_files, freeze_rows, make_row

LETTERS = "abcdefghijklmnopqrst"
WORDS = [left + right for left in LETTERS for right in LETTERS]
"""Words without digits, so that no two prompts are near-duplicates."""


@pytest.fixture
def training(database: Database, artifacts: Artifacts, settings: Settings) -> Training:
    return Training(database, artifacts, Jobs(database), settings)


@pytest.fixture
def models(database: Database) -> Models:
    return Models(database)


@pytest.fixture
def freeze(database: Database, artifacts: Artifacts, project: Project) -> Callable[..., DatasetVersion]:
    """Freeze these train and golden rows as a version of the dataset `tickets`, or of one with another name."""
    return lambda train, golden, name="tickets": freeze_rows(database, artifacts, project.id, train, golden, name)


@pytest.fixture
def version(freeze: Callable[[list[Row], list[Row]], DatasetVersion]) -> DatasetVersion:
    train = [make_row(f"ticket {word} number {word}", f"answer {word}") for word in WORDS[:200]]
    return freeze(train, [make_row(f"golden {word} case", "answer", "golden") for word in WORDS[:20]])


@pytest.fixture
def base(artifacts: Artifacts, models: Models, project: Project, operator: Actor) -> Model:
    return models.register_base(operator, project.id, "tiny", digest=base_files(artifacts), parameters=430_896)

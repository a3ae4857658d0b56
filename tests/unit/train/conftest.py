"""A frozen version and a base model for the Train tests, real but without torch: a tokenizer and a config suffice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Dataset, DatasetVersion, Model, Project
from studio.access.actor import Actor
from studio.curate.snapshot import Row, write_rows
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train.models import Models
from studio.train.runs import Training
from tests.fakes.frozen_rows import TINY_CONFIG, make_row


@pytest.fixture
def training(database: Database, artifacts: Artifacts, settings: Settings) -> Training:
    return Training(database, artifacts, Jobs(database), settings)


@pytest.fixture
def models(database: Database) -> Models:
    return Models(database)


@pytest.fixture
def freeze(
    database: Database, artifacts: Artifacts, project: Project, tmp_path: Path
) -> Callable[[list[Row], list[Row]], DatasetVersion]:
    """Freeze these train and golden rows as a version of the dataset `tickets`."""

    def make(train: list[Row], golden: list[Row]) -> DatasetVersion:
        folder = tmp_path / "frozen"
        folder.mkdir(exist_ok=True)
        write_rows(folder / "train.parquet", train)
        write_rows(folder / "golden.parquet", golden)
        digest = artifacts.save_folder(folder)
        with database.write() as session:
            dataset = Dataset(project_id=project.id, name="tickets")
            session.add(dataset)
            session.flush()
            version = DatasetVersion(
                dataset_id=dataset.id, number=1, digest=digest, train_rows=len(train), golden_rows=0
            )
            session.add(version)
        return version

    return make


@pytest.fixture
def version(freeze: Callable[[list[Row], list[Row]], DatasetVersion]) -> DatasetVersion:
    train = [make_row(f"ticket {word} number {word}", f"answer {word}") for word in _words(200)]
    return freeze(train, [make_row(f"golden {word} case", "answer", "golden") for word in _words(20)])


@pytest.fixture
def base(artifacts: Artifacts, models: Models, project: Project, operator: Actor, tmp_path: Path) -> Model:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    folder = tmp_path / "base"
    folder.mkdir()
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps(TINY_CONFIG))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{% generation %}{% endgeneration %}"}))
    return models.register_base(operator, project.id, "tiny", digest=artifacts.save_folder(folder), parameters=430_896)


def _words(count: int) -> list[str]:
    """Words without digits, so that no two prompts are near-duplicates."""
    letters = "abcdefghijklmnopqrst"
    return [letters[index // 20] + letters[index % 20] for index in range(count)]

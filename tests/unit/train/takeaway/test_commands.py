"""The commands for training elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from typer.testing import CliRunner

from storage.tables import DatasetVersion, Model
from studio.access.actor import Actor
from studio.cli.app import app
from studio.errors import InvalidInput, NotFound
from studio.settings import Settings
from studio.train.runs import Training


@pytest.fixture(autouse=True)
def at_home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("STUDIO_HOME", str(settings.home))
    yield


def test_a_run_is_written_for_another_tool(
    training: Training, operator: Actor, version: DatasetVersion, base: Model, tmp_path: Path
) -> None:
    run = training.start(operator, version.id, base.id, name="triage")
    done = CliRunner().invoke(app, ["take-away", "triage", "llama-factory", "--out", str(tmp_path / "a.zip")])
    assert done.exit_code == 0, done.output
    with ZipFile(tmp_path / "a.zip") as archive:
        assert "triage-llama-factory/train.yaml" in archive.namelist()
    missing = CliRunner().invoke(app, ["take-away", f"{run.name}-2", "trl"])
    assert isinstance(missing.exception, NotFound)


def test_what_is_not_there_is_not_imported(base: Model, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["import-model", str(tmp_path / "nowhere.zip"), base.name, "tuned"])
    assert isinstance(done.exception, InvalidInput)
    assert "There is no" in done.exception.message

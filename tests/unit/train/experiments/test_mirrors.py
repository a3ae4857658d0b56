"""Mirrors write where only this studio's people look, whatever recipe and environment say."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from studio.errors import InvalidInput
from studio.train.recipes.mirrors import keep_private


def args(*tools: str) -> SimpleNamespace:
    """The training arguments a mirror looks at, as a careless recipe might have set them."""
    public = {"trackio_space_id": "me/public", "trackio_bucket_id": "me/b", "trackio_static_space_id": None}
    return SimpleNamespace(report_to=list(tools), run_name=None, push_to_hub=True, hub_private_repo=None, **public)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The three tools, as far as finding them goes, and a data folder."""
    for name in ("trackio", "mlflow", "wandb"):
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def folder(home: Path) -> Path:
    return home / "runs" / "the-job" / "work"


def test_without_a_mirror_nothing_is_set(installed: Path) -> None:
    before = dict(os.environ)
    for given in ("none", ["none"], [], None):
        training = args()
        training.report_to = given
        assert keep_private(training, folder(installed)) == [] == training.report_to
    assert dict(os.environ) == before and not (installed / "mirrors").exists()


def test_trackio_stays_on_this_machine(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_SPACE_ID", "me/public")
    monkeypatch.setenv("TRACKIO_SERVER_URL", "https://example.org")
    training = args("trackio")
    assert keep_private(training, folder(installed)) == ["trackio"]
    assert (training.trackio_space_id, training.trackio_bucket_id, training.trackio_static_space_id) == (
        None,
        None,
        False,
    )
    assert training.hub_private_repo is True and training.push_to_hub is False and training.run_name == "the-job"
    assert os.environ["TRACKIO_DIR"] == str(installed / "mirrors" / "trackio")
    assert "TRACKIO_SPACE_ID" not in os.environ and "TRACKIO_SERVER_URL" not in os.environ


def test_prompts_and_answers_are_not_mirrored(installed: Path) -> None:
    training = args("trackio")
    training.log_completions = True
    keep_private(training, folder(installed))
    assert training.log_completions is False


def test_wandb_goes_online_only_with_the_operators_key(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "from-somewhere")
    monkeypatch.setenv("WANDB_MODE", "online")
    keep_private(args("wandb"), folder(installed))
    assert os.environ["WANDB_MODE"] == "offline" and "WANDB_API_KEY" not in os.environ
    assert os.environ["WANDB_LOG_MODEL"] == "false"
    monkeypatch.setenv("STUDIO_WANDB_API_KEY", "the-operators")
    keep_private(args("wandb"), folder(installed))
    assert (os.environ["WANDB_MODE"], os.environ["WANDB_API_KEY"]) == ("online", "the-operators")


def test_mlflow_is_a_file_unless_the_operator_names_a_server(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://example.org")
    keep_private(args("mlflow", "trackio"), folder(installed))
    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{installed / 'mirrors' / 'mlflow' / 'mlflow.db'}"
    assert os.environ["HF_MLFLOW_LOG_ARTIFACTS"] == "false"
    monkeypatch.setenv("STUDIO_MLFLOW_URL", "http://mlflow.internal:5000")
    keep_private(args("mlflow"), folder(installed))
    assert os.environ["MLFLOW_TRACKING_URI"] == "http://mlflow.internal:5000"


def test_a_tool_that_is_not_there_is_named_with_what_to_install(tmp_path: Path, installed: Path) -> None:
    with pytest.raises(InvalidInput, match="Choose among: trackio, mlflow, wandb, tensorboard"):
        keep_private(args("comet_ml"), folder(installed))
    (tmp_path / "site" / "mlflow" / "__init__.py").unlink()
    (tmp_path / "site" / "mlflow").rmdir()
    with pytest.raises(InvalidInput, match="pip install mlflow-skinny"):
        keep_private(args("mlflow"), folder(installed))

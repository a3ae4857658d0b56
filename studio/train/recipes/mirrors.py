"""Mirrors of a run's curves in other tools, never public by themselves: local files unless an operator's key says else.

The recipe names the tools (`report_to`); keys and addresses come from the studio's settings, never from a recipe.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from studio.errors import InvalidInput
from studio.settings import Settings

PROJECT = "whetstone"
PACKAGES = {"trackio": "trackio", "mlflow": "mlflow", "wandb": "wandb", "tensorboard": "tensorboard"}
PUBLISHING = ("SPACE_ID", "BUCKET_ID", "DATASET_ID", "SERVER_URL", "WEBHOOK_URL", "REGISTRY_BUCKET_ID")


def keep_private(training: Any, folder: Path) -> list[str]:
    """Let the named tools write where only this studio's people look. Raises InvalidInput for one that is not there."""
    names = _named(training.report_to)
    for name in names:
        if name not in PACKAGES:
            raise InvalidInput(f"Curves cannot be mirrored to {name!r}. Choose among: {', '.join(PACKAGES)}.")
        if find_spec(PACKAGES[name]) is None:
            raise InvalidInput(f"Mirroring to {name} needs its package: pip install {_installable(name)}.")
        _SET_UP[name](training, Settings())
    if names:
        training.run_name = training.run_name or folder.parent.name
        training.push_to_hub = False
        if getattr(training, "log_completions", False):
            training.log_completions = False  # prompts and answers stay here
    training.report_to = names
    return names


def _named(report_to: str | list[str] | None) -> list[str]:
    given = [report_to] if isinstance(report_to, str) else report_to or []
    return [name for name in given if name != "none"]


def _installable(name: str) -> str:
    return "mlflow-skinny" if name == "mlflow" else name


def _trackio(training: Any, settings: Settings) -> None:
    """A database in the data folder, and no Space, bucket or server whatever the environment says."""
    for ending in PUBLISHING:
        os.environ.pop(f"TRACKIO_{ending}", None)
    os.environ["TRACKIO_DIR"] = str(_folder(settings, "trackio"))
    training.project, training.hub_private_repo = PROJECT, True
    training.trackio_space_id = training.trackio_bucket_id = None
    training.trackio_static_space_id = False


def _mlflow(_training: Any, settings: Settings) -> None:
    """Files in the data folder, or the operator's own server; never the weights."""
    local = f"sqlite:///{_folder(settings, 'mlflow') / 'mlflow.db'}"
    os.environ["MLFLOW_TRACKING_URI"] = settings.mlflow_url or local
    os.environ["MLFLOW_EXPERIMENT_NAME"] = PROJECT
    os.environ["HF_MLFLOW_LOG_ARTIFACTS"] = "false"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.pop("MLFLOW_RUN_ID", None)


def _wandb(_training: Any, settings: Settings) -> None:
    """Files in the data folder; online only with the operator's key. Never the weights."""
    os.environ["WANDB_MODE"] = "online" if settings.wandb_api_key else "offline"
    os.environ.pop("WANDB_API_KEY", None)
    if settings.wandb_api_key:
        os.environ["WANDB_API_KEY"] = settings.wandb_api_key
    os.environ["WANDB_DIR"] = str(_folder(settings, "wandb"))
    os.environ["WANDB_PROJECT"], os.environ["WANDB_LOG_MODEL"] = PROJECT, "false"


def _tensorboard(_training: Any, settings: Settings) -> None:
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(_folder(settings, "tensorboard"))


def _folder(settings: Settings, name: str) -> Path:
    folder = settings.root / "mirrors" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


_SET_UP: dict[str, Callable[[Any, Settings], None]] = {
    "trackio": _trackio,
    "mlflow": _mlflow,
    "wandb": _wandb,
    "tensorboard": _tensorboard,
}

"""From a model's artifact to a folder that servers can load: laid out, verified, in the portable form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts, DamagedArtifact
from storage.tables import Model
from studio.deploy.artifact.files import FolderFiles
from studio.deploy.artifact.forms import ADAPTER, MERGED, base_digest
from studio.deploy.artifact.safety import dangers
from studio.errors import Conflict
from studio.settings import Settings
from studio.train.portable import make_portable

NEEDED = ("config.json", "tokenizer.json", "tokenizer_config.json")


def export(artifacts: Artifacts, settings: Settings, model: Model, form: str = MERGED) -> Path:
    """The folder whose weights a server loads: the model's own, or its base's when only its adapter is pushed.

    It is shared by all revisions of the same weights. Raises Conflict with the reason.
    """
    digest, name = (base_digest(model), f"The base of {model.name}") if form == ADAPTER else (model.digest, model.name)
    if not digest:
        raise Conflict(f"{name} has no weights here. Choose a model that was trained or built in the studio.")
    if not artifacts.exists(digest):
        raise Conflict(f"The weights of {name} are missing from the artifact store. Restore them from a backup.")
    try:
        folder = artifacts.checkout(digest, settings.root / "models" / digest)
    except DamagedArtifact as error:
        raise Conflict(str(error)) from error
    problems = dangers(FolderFiles(folder))
    if not problems:
        make_portable(folder)
        problems = findings(folder)
    if problems:
        raise Conflict(f"{name} cannot be served: {' '.join(problems)}")
    return folder


def findings(folder: Path) -> list[str]:
    """What would make a server refuse this folder, or answer wrongly from it."""
    missing = [name for name in NEEDED if not (folder / name).exists()]
    if missing:
        return [f"{', '.join(missing)} is missing."]
    problems = dangers(FolderFiles(folder))
    if problems:
        return problems
    config, tokenizer = _read(folder / "config.json"), _read(folder / "tokenizer_config.json")
    if not list(folder.glob("model*.safetensors")):
        problems.append("There are no weights in safetensors form.")
    if (folder / "adapter_config.json").exists():
        problems.append("It is an adapter; merge it into its base first.")
    if "rope_parameters" in config:
        problems.append("Its config is not in the portable form.")
    if not tokenizer.get("chat_template"):
        problems.append("It has no chat template, so it cannot answer conversations.")
    return problems


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found

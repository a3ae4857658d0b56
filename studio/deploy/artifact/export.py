"""From a model's artifact to a folder that servers can load: laid out, verified, in the portable form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts, DamagedArtifact
from storage.tables import Model
from studio.errors import Conflict
from studio.settings import Settings
from studio.train.portable import make_portable

NEEDED = ("config.json", "tokenizer.json", "tokenizer_config.json")


def export(artifacts: Artifacts, settings: Settings, model: Model) -> Path:
    """The model's folder on this host, shared by all revisions of the same weights. Raises Conflict with the reason."""
    if not model.digest:
        raise Conflict(f"{model.name} has no weights here. Choose a model that was trained or built in the studio.")
    if not artifacts.exists(model.digest):
        raise Conflict(f"The weights of {model.name} are missing from the artifact store. Restore them from a backup.")
    try:
        folder = artifacts.checkout(model.digest, settings.root / "models" / model.digest)
    except DamagedArtifact as error:
        raise Conflict(str(error)) from error
    make_portable(folder)
    problems = findings(folder)
    if problems:
        raise Conflict(f"{model.name} cannot be served: {' '.join(problems)}")
    return folder


def findings(folder: Path) -> list[str]:
    """What would make a server refuse this folder, or answer wrongly from it."""
    missing = [name for name in NEEDED if not (folder / name).exists()]
    if missing:
        return [f"{', '.join(missing)} is missing."]
    config, tokenizer = _read(folder / "config.json"), _read(folder / "tokenizer_config.json")
    problems = []
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

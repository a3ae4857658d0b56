"""LaunchBundles: a registered model as a folder that another tool serves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, TrainingRun
from studio.deploy import artifact
from studio.deploy.bundles import launch_bundle, names
from studio.deploy.bundles.port import LaunchBundle, Served, Texts
from studio.errors import InvalidInput, NotFound
from studio.settings import Settings
from studio.train.takeaway.bundle import write_zip
from studio.train.takeaway.port import Content, Files

PIECE = 1 << 20


class LaunchBundles:
    """What the Deploy page and the command line offer beside the targets that are started here."""

    def __init__(self, database: Database, artifacts: Artifacts, settings: Settings) -> None:
        self.database, self.artifacts, self.settings = database, artifacts, settings

    def tools(self) -> list[LaunchBundle]:
        """Every tool."""
        return [launch_bundle(name) for name in names()]

    def texts(self, model_id: str, tool: str, options: dict[str, Any] | None = None) -> Texts:
        """The bundle's files besides the weights. Raises InvalidInput with the reason the tool cannot serve it."""
        bundle, model = launch_bundle(tool), self._model(model_id)
        return bundle.texts(self._served(bundle, model, self._folder(model)), _chosen(bundle, options or {}))

    def write(self, model_id: str, tool: str, out: Path, options: dict[str, Any] | None = None) -> Path:
        """The whole bundle as a zip, weights included, a piece at a time."""
        model = self._model(model_id)
        files: Files = {name: text.encode() for name, text in self.texts(model_id, tool, options).items()}
        with out.open("wb") as stream:
            write_zip({**files, **_weights(self._folder(model))}, f"{_slug(model.name)}-{tool}", stream)
        return out

    def size(self, model_id: str) -> int:
        """Bytes of the weights that travel."""
        files = self.artifacts.manifest(self._model(model_id).digest)["files"]
        return sum(int(facts["bytes"]) for facts in files.values())

    def _model(self, model_id: str) -> Model:
        with self.database.read() as session:
            found = session.get(Model, model_id)
        if found is None:
            raise NotFound("This model no longer exists. Reload the page and choose another.")
        return found

    def _folder(self, model: Model) -> Path:
        return artifact.export(self.artifacts, self.settings, model)

    def _served(self, bundle: LaunchBundle, model: Model, folder: Path) -> Served:
        config = json.loads((folder / "config.json").read_text())
        served = Served(
            name=_slug(model.name),
            model_type=str(config.get("model_type", "")),
            max_tokens=min(int(config.get("max_position_embeddings") or 4096), 8192),
            lineage=self._lineage(model),
        )
        reasons = bundle.check(served)
        if reasons:
            raise InvalidInput(" ".join(reasons))
        return served

    def _lineage(self, model: Model) -> str:
        with self.database.read() as session:
            run = session.get(TrainingRun, model.training_run_id or "")
        return f"{model.name}, made by the run {run.name} ({run.method})." if run else f"{model.name}."


def _slug(name: str) -> str:
    """A name that every tool, script and file takes."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in name)
    return kept.strip("-.") or "model"


def _chosen(bundle: LaunchBundle, options: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(options) - set(bundle.options))
    if unknown:
        known = ", ".join(sorted(bundle.options)) or "none"
        raise InvalidInput(f"{bundle.label} has no option {', '.join(unknown)}. It has: {known}.")
    return {name: _one_line(name, value) for name, value in options.items() if value not in ("", None)}


def _one_line(name: str, value: Any) -> Any:
    """These values end in scripts: nothing in them may start a command of its own."""
    if isinstance(value, str) and (set(value) & set("\n\r`$\"'\\;|&<>()") or len(value) > 2000):
        raise InvalidInput(f"The option {name} holds a character that a script would read as its own. Leave it out.")
    return value


def _weights(folder: Path) -> Files:
    return {f"model/{path.name}": _reader(path) for path in sorted(folder.iterdir()) if path.is_file()}


def _reader(path: Path) -> Content:
    def pieces() -> Iterator[bytes]:
        with path.open("rb") as stream:
            while piece := stream.read(PIECE):
                yield piece

    return pieces

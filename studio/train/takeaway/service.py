"""Take a run or a plan to another tool, and bring back what was trained elsewhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.models import ModelRepository
from storage.tables import Job, Model, TrainingRun
from studio.access.actor import Actor, Role, permit
from studio.errors import Conflict, InvalidInput
from studio.jobs.folders import RunFolder
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train import recipe
from studio.train.models import existing_model
from studio.train.planning import Parts
from studio.train.runs import Training
from studio.train.takeaway import TOOLS, Base, BundleInput, Files, TakeAway, take_away
from studio.train.takeaway.arrivals import examined
from studio.train.takeaway.bundle import write_zip, zipped
from studio.train.takeaway.port import Content
from studio.train.takeaway.unpack import unpack
from studio.train.weights import template_of

PIECE = 1 << 16
TRAVELS = 512 << 20
"""A base that is not on the Hub goes into the zip up to this size."""
TOO_LARGE = "The base “{name}” is too large for the zip and not on the Hub: copy its files into `base/` yourself."


class Takeaways:
    """Bundles for other tools, and the way back."""

    def __init__(
        self, database: Database, artifacts: Artifacts, jobs: Jobs, settings: Settings, training: Training
    ) -> None:
        self.database, self.artifacts, self.jobs, self.settings = database, artifacts, jobs, settings
        self.training = training

    def tools(self, method: str | None = None) -> list[TakeAway]:
        """Every tool; with a method, those that train with it."""
        return [tool for tool in TOOLS.values() if method is None or method in tool.methods]

    def bundle(self, run_id: str, tool: str) -> bytes:
        """A zip of the run for a tool: config, data, README. Raises InvalidInput for what the tool cannot do."""
        with self._files_of_run(run_id, tool) as (files, name):
            return zipped(files, name)

    def write_bundle(self, run_id: str, tool: str, out: Path) -> Path:
        """The same into a file, a piece at a time."""
        with self._files_of_run(run_id, tool) as (files, name), out.open("wb") as stream:
            write_zip(files, name, stream)
        return out

    def bundle_of_plan(
        self,
        version_id: str,
        base_model_id: str,
        tool: str,
        *,
        method: str = "sft",
        preset: str = "balanced",
        overrides: dict[str, Any] | None = None,
    ) -> bytes:
        """A zip of a plan that was never run here."""
        if method == "distil":
            raise Conflict("The bigger model gives its answers when the run starts. Start it, then take it away.")
        plan = self.training.plan(version_id, base_model_id, preset, method, overrides)
        parts = self.training.planner.parts(version_id, base_model_id)
        name = f"{parts.dataset.name}-v{parts.version.number}-{method}"
        with self._laid_out(parts, name, method, plan.recipe(), plan.studio()) as given:
            return zipped(take_away(tool).files(given), _folder(name, tool))

    def import_tuned(
        self,
        actor: Actor,
        project_id: str,
        source: Path,
        base_model_id: str,
        name: str,
        *,
        version_id: str | None = None,
        run_id: str | None = None,
    ) -> Job:
        """Take in what was trained elsewhere: an adapter or a whole model, as a zip or a folder.

        Unpacked and checked at once; merged, made portable, proven and registered by a job, whose result has the
        `model_id`. `version_id` gives the prompts to prove it on (default: the newest), `run_id` says what was taken.
        Raises InvalidInput with the reason when it cannot be taken.
        """
        base = self._checked_order(actor, project_id, base_model_id, name)
        with tempfile.TemporaryDirectory(dir=_roomy(self.settings.root)) as folder:
            model = unpack(source, Path(folder) / "unpacked")
            facts = examined(self.artifacts, model, base)
            digest = self.artifacts.save_folder(model, {"kind": "arrival", "name": name})
        spec: dict[str, Any] = {
            "project_id": project_id,
            "base_model_id": base.id,
            "name": name.strip(),
            "arrival": digest,
        }
        spec |= {"facts": facts, "version_id": version_id, "run_id": run_id}
        title = f"Import {name.strip()}"
        return self.jobs.submit(actor, "import_model", spec, title=title, project_id=project_id)

    def _checked_order(self, actor: Actor, project_id: str, base_model_id: str, name: str) -> Model:
        with self.database.read() as session:
            permit(session, actor, Role.EDITOR)
            base = existing_model(session, base_model_id)
            taken = ModelRepository(session).names(project_id)
        if base.project_id != project_id or base.kind not in ("base", "tuned"):
            raise InvalidInput(f"“{base.name}” is no base of this project. Choose the one the model was trained on.")
        if not name.strip() or len(name.strip()) > 120:
            raise InvalidInput("A model needs a name of 1 to 120 characters.")
        if name.strip() in taken:
            raise Conflict(f"There is already a model named “{name.strip()}” in this project. Choose another name.")
        return base

    @contextmanager
    def _files_of_run(self, run_id: str, tool: str) -> Iterator[tuple[Files, str]]:
        run, chosen = self.training.get(run_id), take_away(tool)
        parts = self.training.planner.parts(run.dataset_version_id, run.base_model_id)
        with self._laid_out(parts, run.name, run.method, run.recipe, run.studio, self._own_data(run)) as given:
            yield chosen.files(given), _folder(run.name, tool)

    def _own_data(self, run: TrainingRun) -> Path | None:
        """The run's own rows where a bigger model answered them: only its folder has the answers."""
        if run.method != "distil":
            return None
        found = RunFolder.of(self.settings.runs, str(run.job_id)).work / recipe.DATA
        if not (found / recipe.TRAIN).exists():
            raise Conflict("The bigger model's answers are not here: the run has not got them yet, or was cleaned up.")
        return found

    @contextmanager
    def _laid_out(
        self,
        parts: Parts,
        name: str,
        method: str,
        values: dict[str, Any],
        studio: dict[str, Any],
        own: Path | None = None,
    ) -> Iterator[BundleInput]:
        """The rows as the run's folder has them, written by the same code."""
        source = f"{parts.dataset.name}, version {parts.version.number}"
        with tempfile.TemporaryDirectory() as folder:
            if own is None:
                every = bool(studio.get("every_turn"))
                lines = self.training.planner.lines(parts, method, seed=int(values.get("seed", 0)), every_turn=every)
                lines.write(Path(folder))
            yield BundleInput(name, method, self._base(parts.base), values, own or Path(folder), studio, source)

    def _base(self, base: Model) -> Base:
        template = template_of(self.artifacts, base) or ""
        if base.hub_id:
            return Base(base.name, base.hub_id, base.hub_revision, template)
        files = self.artifacts.manifest(base.digest)["files"]
        if sum(facts["bytes"] for facts in files.values()) > TRAVELS:
            return Base(base.name, template=template, note=TOO_LARGE.format(name=base.name))
        return Base(base.name, template=template, files={path: self._file(base.digest, path) for path in files})

    def _file(self, digest: str, path: str) -> Content:
        def pieces() -> Iterator[bytes]:
            with self.artifacts.open_file(digest, path) as stream:
                while piece := stream.read(PIECE):
                    yield piece

        return pieces


def _folder(name: str, tool: str) -> str:
    """A folder name that any file system takes."""
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    return f"{plain.strip('.') or 'run'}-{tool}"


def _roomy(root: Path) -> Path:
    """Unpack beside the studio's data: /tmp is small on many machines."""
    root.mkdir(parents=True, exist_ok=True)
    return root

"""The first half of a training job: find what the run is made of, and lay its folder out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from storage.repositories.models import ModelRepository
from storage.repositories.places import PlaceRepository
from storage.repositories.training import TrainingRunRepository
from storage.tables import Model, TrainingRun
from studio.asking.provider import ProviderClient
from studio.curate.snapshot import read_version
from studio.errors import InvalidInput, NotFound
from studio.jobs.context import JobContext
from studio.train import data, hub, recipe
from studio.train.data.distil import Teacher, taught
from studio.train.data.messages import uses_tools
from studio.train.methods import method
from studio.train.models import existing_model
from studio.train.planning import Parts, Planner
from studio.train.runners.catalog import HF_JOBS, KINDS, PlaceKind

FLAT = "bedrock"
"""The company whose rows have no tool calls of their own: there they are left out or written as text."""
GONE = "The training run, its dataset version or its base model no longer exists."


def find(context: JobContext) -> tuple[TrainingRun, Parts]:
    """The job's run with its version and base; in a chain the base is what the run before it made."""
    with context.database.write() as session:
        run = TrainingRunRepository(session).get(context.spec["run_id"])
        if run is None:
            raise NotFound(GONE)
        run.failure = {}  # of an earlier attempt; this one has not failed yet
        if run.after_run_id:
            run.base_model_id = _made_before(ModelRepository(session), run.after_run_id).id
        source = TrainingRunRepository(session).source(run.dataset_version_id)
        base = ModelRepository(session).get(run.base_model_id)
    if source is None or base is None:
        raise NotFound(GONE)
    return run, Parts(*source, base)


def lay_out(context: JobContext, run: TrainingRun, parts: Parts) -> data.TrainingData:
    """Fill the folder that `trl <method> --config recipe.yaml` could run as it stands."""
    kind = place_kind(context, run)
    base = _as_needed(context, parts, kind)
    native = None if kind is None or not kind.hosted else kind.name != FLAT
    lines = _lines(context, run, Parts(parts.version, parts.dataset, base), native)
    if not lines.train:
        page = method(run.method).need
        raise InvalidInput(f"There is nothing to train on with {run.method}: {page.how} ({page.page.title()} page).")
    lines.write(context.folder / recipe.DATA)
    recipe.write(context.folder, run.recipe, run.studio)
    if base.digest and not (kind and kind.hosted):
        context.artifacts.checkout(base.digest, context.folder / recipe.BASE)
    return lines


def place_kind(context: JobContext, run: TrainingRun) -> PlaceKind | None:
    """The kind of place where the run happens; None on this machine."""
    with context.database.read() as session:
        place = PlaceRepository(session).named(run.runner)
    return KINDS.get(place.kind) if place else None


def bring_base(context: JobContext, base: Model) -> None:
    """Lay the base into the folder of a run whose place fetched it by itself: merging needs it here."""
    if not (context.folder / recipe.BASE).exists():
        context.artifacts.checkout(fetched(context, base).digest, context.folder / recipe.BASE)


def _as_needed(context: JobContext, parts: Parts, kind: PlaceKind | None) -> Model:
    """The base with its files here, unless the place starts from a copy of its own."""
    base = parts.base
    if base.digest or kind is None:
        return fetched(context, base)
    if kind.hosted:
        return base
    if kind.name == HF_JOBS.name and not _has_tools(context, parts):  # only the template says how tools are written
        return _pinned(context, base)
    return fetched(context, base)


def _has_tools(context: JobContext, parts: Parts) -> bool:
    rows = read_version(context.artifacts, parts.version.digest).train
    return any(row.tools or uses_tools(row.messages) for row in rows)


def _pinned(context: JobContext, base: Model) -> Model:
    """The base at a commit, so that what the place fetches and what is fetched here later are the same."""
    commit = base.hub_revision or hub.commit_of(base.hub_id)
    with context.database.write() as session:
        stored = existing_model(session, base.id)
        stored.hub_revision = commit
    return stored


def fetched(context: JobContext, base: Model) -> Model:
    """The base with its files here: a Hub base is downloaded once and kept as an artifact."""
    if base.digest:
        return base
    context.report(0.02, f"Downloading {base.hub_id}")
    folder = context.folder / "download"
    commit = hub.download(base.hub_id, base.hub_revision, folder)
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    digest = context.artifacts.save_folder(folder, {"kind": "base", "hub_id": base.hub_id, "revision": commit})
    with context.database.write() as session:
        stored = existing_model(session, base.id)
        stored.digest, stored.hub_revision = digest, commit
    shutil.rmtree(folder, ignore_errors=True)
    return stored


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _made_before(models: ModelRepository, run_id: str) -> Model:
    made = models.made_by(run_id)
    if made is None:
        raise NotFound("The run before this one in the chain made no model. Train it again, then retry this one.")
    return made


def _lines(context: JobContext, run: TrainingRun, parts: Parts, native_tools: bool | None) -> data.TrainingData:
    planner, wanted = (
        Planner(context.database, context.artifacts, context.settings),
        recipe.STUDIO_DEFAULTS | run.studio,
    )
    kept = planner.source(wanted["keep_version_id"])[0].digest if wanted["keep_version_id"] else ""
    facts: dict[str, Any] = {"seed": run.seed, "every_turn": wanted["every_turn"], "keep_digest": kept}
    facts["native_tools"] = native_tools
    lines = planner.lines(parts, run.method, **facts)
    return _taught(context, run, lines, wanted["teacher_model_id"]) if run.method == "distil" else lines


def _taught(context: JobContext, run: TrainingRun, lines: data.TrainingData, teacher_id: str) -> data.TrainingData:
    with context.database.read() as session:
        model = existing_model(session, teacher_id)

    def teacher() -> Teacher:
        return ProviderClient(model, context.database, context.settings)

    def report(done: int, whole: int) -> None:
        context.report(0.02 + 0.02 * done / max(whole, 1), f"{model.name} answered {done:,} of {whole:,} prompts")
        context.leave_if_asked()

    learned, lesson = taught(lines, teacher, context.folder, report)
    with context.database.write() as session:
        stored = session.get_one(TrainingRun, run.id)
        stored.summary = stored.summary | {"teacher": {"name": model.name} | lesson.facts()}
    return learned

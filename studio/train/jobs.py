"""The two jobs of training: build a tiny base, and train. Either may be killed at any time and goes on."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storage.repositories.models import ModelRepository
from storage.tables import DatasetVersion, Model, TrainingRun
from storage.types import now
from studio.access.actor import Actor
from studio.curate.snapshot import read_version
from studio.errors import InvalidInput, NotFound, StorageFull
from studio.jobs.context import JobCancelled, JobContext
from studio.train import data, hub, recipe
from studio.train.models import Models, add_model
from studio.train.portable import make_portable
from studio.train.recipes.process import prepare


def build_base(context: JobContext) -> dict[str, Any]:
    """Build a tiny base model from stored documents and register it."""
    project_id, name = context.spec["project_id"], context.spec["name"]
    with context.database.read() as session:
        done = ModelRepository(session).built_by(project_id, context.job_id)
    if done is not None:
        return {"model_id": done.id}
    prepare()
    from studio.train.recipes import base

    documents = context.artifacts.checkout(context.spec["documents"], context.folder / "documents")
    out = _fresh(context.folder / "model")
    with plain_errors():
        facts = base.build(
            documents / "documents.jsonl",
            out,
            shape=base.Shape(**context.spec.get("shape", {})),
            report=context.report,
            leave_if_asked=context.leave_if_asked,
        )
    make_portable(out)
    digest = context.artifacts.save_folder(out, {"kind": "base", "name": name})
    actor, facts = Actor.operator(context.created_by), facts | {"job_id": context.job_id}
    size = facts["parameters"]
    model = Models(context.database).register_base(actor, project_id, name, digest=digest, parameters=size, facts=facts)
    return {"model_id": model.id, "parameters": size, "loss": facts["loss"]}


def train(context: JobContext) -> dict[str, Any]:
    """Carry a training run out: lay out its folder, train, merge, prove, register the tuned model."""
    run, version, base = _nouns(context)
    with context.database.read() as session:
        done = ModelRepository(session).made_by(run.id)
    if done is not None:
        return {"run_id": run.id, "model_id": done.id, **run.summary}
    prepare(offline=bool(base.digest))
    context.report(0.01, "Preparing the data and the base model")
    rows = data.split(read_version(context.artifacts, version.digest), run.seed)
    _lay_out(context, run, rows, base)
    summary = _trained(context)
    context.report(0.95, "Merging and recording proof answers")
    facts = _finished(context, rows)
    digest = context.artifacts.save_folder(context.folder / recipe.MERGED, {"kind": "tuned", "run": run.id})
    model = _registered(context, run, base, digest, summary, facts)
    shutil.rmtree(context.folder / recipe.OUTPUT, ignore_errors=True)
    return {"run_id": run.id, "model_id": model.id, **summary}


def _nouns(context: JobContext) -> tuple[TrainingRun, DatasetVersion, Model]:
    with context.database.read() as session:
        run = session.get(TrainingRun, context.spec["run_id"])
        version = session.get(DatasetVersion, run.dataset_version_id) if run else None
        base = session.get(Model, run.base_model_id) if run else None
    if run is None or version is None or base is None:
        raise NotFound("The training run, its dataset version or its base model no longer exists.")
    return run, version, base


def _lay_out(context: JobContext, run: TrainingRun, rows: data.TrainingData, base: Model) -> None:
    """The folder that `trl sft --config recipe.yaml` could run as it stands."""
    if not rows.train:
        raise InvalidInput("There is no row to train on. Add examples on Curate and freeze a new version.")
    rows.write(context.folder / recipe.DATA)
    recipe.write(context.folder, run.recipe)
    context.artifacts.checkout(base.digest or _downloaded(context, base), context.folder / recipe.BASE)


def _downloaded(context: JobContext, base: Model) -> str:
    """Fetch a Hub base once, keep it as an artifact, and remember its digest on the model."""
    context.report(0.02, f"Downloading {base.hub_id}")
    folder = context.folder / "download"
    commit = hub.download(base.hub_id, base.hub_revision, folder)
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    digest = context.artifacts.save_folder(folder, {"kind": "base", "hub_id": base.hub_id, "revision": commit})
    with context.database.write() as session:
        stored = session.get_one(Model, base.id)
        stored.digest, stored.hub_revision = digest, commit
    shutil.rmtree(folder, ignore_errors=True)
    return digest


def _trained(context: JobContext) -> dict[str, Any]:
    from studio.train.recipes import run as training

    def progress(done: float, text: str) -> None:
        context.report(0.05 + 0.88 * done, text)

    context.report(0.04, "Loading the trainer")
    with plain_errors():
        summary = training.train(context.folder, stop_asked=context.stop_asked, on_progress=progress)
    if summary.pop("stopped"):
        raise JobCancelled()
    return summary


def _finished(context: JobContext, rows: data.TrainingData) -> dict[str, Any]:
    """Merge (unless every weight was trained), make portable, and record the proof answers."""
    from studio.train.recipes import merge

    base, adapter, merged = (context.folder / name for name in (recipe.BASE, recipe.ADAPTER, recipe.MERGED))
    facts = {}
    if adapter.exists():
        merge.merge(base, adapter, _fresh(merged))
        facts["adapter_digest"] = context.artifacts.save_folder(adapter, {"kind": "adapter"})
    golden = merge.golden_prompts(base, merged, rows.proof)
    make_portable(merged)
    return {"golden": golden, **facts}


def _registered(
    context: JobContext, run: TrainingRun, base: Model, digest: str, summary: dict[str, Any], facts: dict[str, Any]
) -> Model:
    """The tuned model and the end of its run, in one transaction."""
    with context.database.write() as session:
        model = Model(project_id=run.project_id, name=run.name, kind="tuned", parent_id=base.id, digest=digest)
        model.training_run_id, model.parameters, model.facts = run.id, base.parameters, facts
        add_model(session, model)
        stored = session.get_one(TrainingRun, run.id)
        stored.summary, stored.finished_at = summary | {"model_id": model.id}, now()
    return model


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say in plain words what torch and the disk say in theirs."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFull() from error
        raise
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
            raise InvalidInput(
                "The run did not fit in memory. Lower the rows per step or the longest row under Advanced, or choose a "
                "smaller base; then train again."
            ) from error
        raise

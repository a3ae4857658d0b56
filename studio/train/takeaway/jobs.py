"""The job that takes in a model trained elsewhere: merge, prove, make portable, register. May be killed at any time."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from storage.repositories.datasets import VersionRepository
from storage.repositories.models import ModelRepository
from storage.repositories.training import TrainingRunRepository
from storage.tables import Model
from studio.errors import NotFound
from studio.jobs.context import JobContext
from studio.train import data
from studio.train.adapters import kept_adapter
from studio.train.jobs import plain_errors
from studio.train.laying_out import fetched, fresh
from studio.train.models import add_model
from studio.train.portable import make_portable
from studio.train.recipes.process import prepare
from studio.train.takeaway.arrivals import examined
from studio.train.takeaway.unpack import ADAPTER


def import_model(context: JobContext) -> dict[str, Any]:
    """Merge it into the base where it is an adapter, record proof answers, register it with its lineage."""
    spec = context.spec
    with context.database.read() as session:
        done = ModelRepository(session).imported_by(spec["project_id"], context.job_id)
        base = ModelRepository(session).get(spec["base_model_id"])
    if done is not None:
        return {"model_id": done.id}
    if base is None:
        raise NotFound("The base model no longer exists. Import again and choose another one.")
    prepare(offline=bool(base.digest))
    base = fetched(context, base)
    arrival = context.artifacts.checkout(spec["arrival"], context.folder / "arrival")
    examined(context.artifacts, arrival, base)
    with plain_errors():
        facts = _merged(context, base, arrival)
    make_portable(context.folder / "merged")
    digest = context.artifacts.save_folder(context.folder / "merged", {"kind": "tuned", "imported": context.job_id})
    model = _registered(context, base, digest, facts)
    shutil.rmtree(context.folder / "base", ignore_errors=True)
    return {"model_id": model.id, "tool": spec["facts"].get("tool", "")}


def _merged(context: JobContext, base: Model, arrival: Path) -> dict[str, Any]:
    """The plain checkpoint with the base's own tokenizer and template, and what it answers beside the base."""
    from studio.train.recipes import merge
    from studio.train.recipes.adopt import adopt

    context.report(0.1, "Merging with the base")
    weights, merged = context.artifacts.checkout(base.digest, context.folder / "base"), fresh(context.folder / "merged")
    facts: dict[str, Any] = {}
    if (arrival / ADAPTER).exists():
        adapter = _bare_adapter(arrival, fresh(context.folder / "adapter"))
        merge.merge(weights, adapter, merged)
        facts = kept_adapter(context, adapter, base)
    else:
        adopt(weights, arrival, merged)
    context.leave_if_asked()
    proof = _proof(context)
    context.report(0.7, "Recording proof answers")
    return facts | ({"golden": merge.golden_prompts(weights, merged, proof)} if proof else {})


def _bare_adapter(arrival: Path, folder: Path) -> Path:
    """The adapter alone: a tokenizer or template that came along would replace the base's own."""
    for name in (ADAPTER, "adapter_model.safetensors"):
        shutil.copy(arrival / name, folder / name)
    return folder


def _proof(context: JobContext) -> list[data.Messages]:
    """Prompts of the version that was named, or of the project's newest; none where there is no version."""
    spec = context.spec
    with context.database.read() as session:
        listed = VersionRepository(session).of_project(spec["project_id"])
        named = TrainingRunRepository(session).source(spec["version_id"]) if spec.get("version_id") else None
    found = named or next(iter(listed), None)
    return data.gather(context.artifacts, found[0].digest).proof if found else []


def _registered(context: JobContext, base: Model, digest: str, facts: dict[str, Any]) -> Model:
    spec = context.spec
    lineage = {**spec["facts"], "job_id": context.job_id, "arrival": spec["arrival"], "by": context.created_by}
    if spec.get("run_id"):
        lineage["taken_from_run"] = spec["run_id"]
    with context.database.write() as session:
        made = Model(project_id=base.project_id, name=spec["name"], kind="tuned", parent_id=base.id, digest=digest)
        made.parameters, made.facts = base.parameters, facts | {"imported": lineage}
        return add_model(session, made)

"""The second half of a training job: merge, prove, register what was made, and say what the run means."""

from __future__ import annotations

import shutil
from typing import Any

from storage.repositories.models import ModelRepository
from storage.tables import Model, TrainingRun
from storage.types import now
from studio.access.secrets import SecretBox
from studio.curate.snapshot import Row, read_version
from studio.jobs.context import JobContext
from studio.train import data, recipe
from studio.train.adapters import kept_adapter
from studio.train.card import make_card
from studio.train.doubting import keep_doubts
from studio.train.events import tail
from studio.train.laying_out import bring_base, fresh
from studio.train.methods import method
from studio.train.models import add_model
from studio.train.planning import Parts
from studio.train.portable import make_portable
from studio.train.served_there import provider_at
from studio.train.shape import TINY
from studio.train.starting import free_name

DOUBTED = ("sft", "distil")
"""Methods whose model should believe its own training rows."""
ASKED_OF_A_BIG_ONE = 2000
"""Training rows that a bigger model is asked about: a forward pass each."""


def finish(
    context: JobContext, run: TrainingRun, parts: Parts, lines: data.TrainingData, summary: dict[str, Any]
) -> Model:
    """Register the model that the run made, here or at a company, and close the run."""
    if "hosted" in summary:
        return _hosted(context, run, parts.base, summary)
    context.report(0.94, "Merging and recording proof answers")
    bring_base(context, parts.base)
    facts = _merged(context, parts.base, lines)
    makes = method(run.method).makes
    if makes == "tuned":
        summary = summary | {"keep": _kept_in_mind(context)}
    digest = context.artifacts.save_folder(context.folder / recipe.MERGED, {"kind": makes, "run": run.id})
    if makes == "tuned" and run.method in DOUBTED:
        context.report(0.97, "Asking the model what it does not believe")
        summary = summary | {"doubts": keep_doubts(context, run, parts.version, _asked(context, parts))}
    made = Model(project_id=run.project_id, name=run.name, kind=makes, parent_id=parts.base.id, digest=digest)
    made.parameters, made.facts = parts.base.parameters, facts | {"method": run.method}
    model = _closed(context, run, made, summary)
    for passing in (recipe.OUTPUT, recipe.PREPARED):
        shutil.rmtree(context.folder / passing, ignore_errors=True)
    return model


def _asked(context: JobContext, parts: Parts) -> list[Row]:
    """The rows to ask about: all of a tiny model's, a sample's worth of a bigger one's."""
    rows = read_version(context.artifacts, parts.version.digest).train
    return rows if 0 < parts.base.parameters < TINY else rows[:ASKED_OF_A_BIG_ONE]


def _merged(context: JobContext, on: Model, lines: data.TrainingData) -> dict[str, Any]:
    """Merge (unless every weight was trained), make portable, and record the proof answers."""
    from studio.train.recipes import merge

    base, adapter, merged = (context.folder / name for name in (recipe.BASE, recipe.ADAPTER, recipe.MERGED))
    facts: dict[str, Any] = {}
    if adapter.exists():
        merge.merge(base, adapter, fresh(merged))
        facts = kept_adapter(context, adapter, on)
    golden = merge.golden_prompts(base, merged, lines.proof)
    make_portable(merged)
    return {"golden": golden, **facts}


def _kept_in_mind(context: JobContext) -> dict[str, Any]:
    """What base and tuned model answer to rows that must keep working; {} where there are none."""
    from studio.train.recipes.forgetting import guard

    return guard(context.folder)


def _hosted(context: JobContext, run: TrainingRun, base: Model, summary: dict[str, Any]) -> Model:
    """A model that a company keeps: it answers like a provider's, at the address the company told."""
    told = summary["hosted"]
    made = Model(project_id=run.project_id, name=run.name, kind="provider", parent_id=base.id)
    made.provider_model, made.facts = told["model"], {"hosted": told, "method": run.method}
    if told.get("base_url"):
        with context.database.write() as session:
            secrets = SecretBox(context.settings.secrets)
            made.provider_id = provider_at(session, secrets, run, told["base_url"], told["model"])
    return _closed(context, run, made, summary)


def _closed(context: JobContext, run: TrainingRun, made: Model, summary: dict[str, Any]) -> Model:
    """The model and the end of its run, in one transaction."""
    card = make_card(run, summary, tail(context.folder / recipe.EVENTS)[0])
    with context.database.write() as session:
        made.name = free_name(made.name, ModelRepository(session).names(run.project_id))  # it may be taken by now
        made.training_run_id = run.id
        model = add_model(session, made)
        stored = session.get_one(TrainingRun, run.id)
        stored.summary = stored.summary | summary | {"model_id": model.id}
        stored.finished_at, stored.failure, stored.card = now(), {}, card
    return model

"""The job that rehearses one batch. Killed at any moment, it begins again: it takes seconds and keeps nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import Any

from storage.tables import Rehearsal
from storage.types import now
from studio.curate.snapshot import read_version
from studio.errors import NotFound, Unavailable
from studio.jobs.context import JobContext
from studio.train import recipe
from studio.train.data import TrainingData
from studio.train.doctor import Finding, worst_first
from studio.train.estimate.load import LOW_RANK
from studio.train.estimate.whole import fit_of
from studio.train.laying_out import fetched, fresh
from studio.train.plan import Plan
from studio.train.planning import Considered, Parts, Planner
from studio.train.recipes.process import prepare
from studio.train.rehearse.findings import findings_of, too_big
from studio.train.rehearse.layout import lay_out

MIB = 1 << 20


def rehearse(context: JobContext) -> dict[str, Any]:
    """Lay the batch out as the run would, look at it, do a few micro-steps, and say what was found."""
    rehearsal = found_rehearsal(context)
    planner = Planner(context.database, context.artifacts, context.settings)
    parts = planner.parts(rehearsal.dataset_version_id, rehearsal.base_model_id)
    context.report(0.05, "Getting the base model")
    prepare(offline=bool(parts.base.digest))
    try:
        parts = replace(parts, base=fetched(context, parts.base))
    except Unavailable as error:
        return _kept(context, rehearsal, {"rows": [], "findings": [_unreachable(error).to_dict()]})
    plan = planner.plan(parts, context.spec["preset"], rehearsal.method, context.spec["overrides"])
    lines = planner.lines(parts, rehearsal.method, every_turn=bool(plan.value("every_turn")))
    result = _rehearsed(context, parts, plan, lines)
    return _kept(context, rehearsal, result | {"values": plan.named})


def found_rehearsal(context: JobContext) -> Rehearsal:
    """The rehearsal that the job is for. Raises NotFound."""
    with context.database.read() as session:
        found = session.get(Rehearsal, context.spec["rehearsal_id"])
    if found is None:
        raise NotFound("This rehearsal no longer exists. Rehearse again on Train.")
    return found


def _rehearsed(context: JobContext, parts: Parts, plan: Plan, lines: TrainingData) -> dict[str, Any]:
    known = _examined(context, parts, plan, lines)
    folder = fresh(context.folder / "rehearsal")
    lay_out(folder, plan.recipe(), plan.studio(), lines)
    context.artifacts.checkout(parts.base.digest, folder / recipe.BASE)
    context.report(0.2, "Loading the trainer")
    parts_mb = _dry_run(context, plan)
    needed = sum(parts_mb.values()) * MIB
    told: dict[str, Any] = {"memory_mb": parts_mb, "room_mb": plan.situation.machine.room // MIB}
    if fit_of(needed, plan.situation.machine.room) == "too big":
        return told | {"rows": [], "findings": _as_dicts([too_big(needed, plan), *known])}
    context.leave_if_asked()
    found = _by_the_trainer(context, plan)
    context.leave_if_asked()
    shutil.rmtree(folder, ignore_errors=True)
    return told | found | {"findings": _as_dicts([*findings_of(found, plan), *_not_said_better(known)])}


def _by_the_trainer(context: JobContext, plan: Plan) -> dict[str, Any]:
    from studio.train.recipes import rehearse as torch_half

    context.report(0.4, "Looking at one batch, then a few micro-steps")
    return torch_half.rehearse(context.folder / "rehearsal", context.stop_asked)


def _dry_run(context: JobContext, plan: Plan) -> dict[str, int]:
    """The estimate's parts in MiB, its activations counted by a dry run on tensors without content."""
    from studio.train.recipes import dry

    situation, values = plan.situation, plan.named
    rank = values.get("lora_r") if values["training"] in LOW_RANK else None
    sequences = int(values["micro_batch"]) * (2 if plan.way.need.what == "pairs" else 1)
    counted = dry.kept_by(
        context.folder / "rehearsal" / recipe.BASE,
        rows=sequences,
        row_tokens=min(situation.lengths.longest or 64, values["max_length"]),
        dtype="bfloat16" if situation.machine.gpu else "float32",
        lora_rank=rank,
        checkpointing=bool(values.get("checkpointing")),
    )
    parts = dict(plan.estimate.parts)
    if counted and not values.get("checkpointing"):  # what is made again is live for one layer: arithmetic knows it
        parts["activations"] = counted
    return {name: round(size / MIB) for name, size in parts.items()}


def _examined(context: JobContext, parts: Parts, plan: Plan, lines: TrainingData) -> list[Finding]:
    rows = read_version(context.artifacts, parts.version.digest)
    planner = Planner(context.database, context.artifacts, context.settings)
    return planner.examined(parts, Considered(plan, rows, lines))


def _not_said_better(known: list[Finding]) -> list[Finding]:
    """Without the guesses that the trainer replaced by counts."""
    return [each for each in known if "would be cut" not in each.text and "would not end" not in each.text]


def _as_dicts(found: list[Finding]) -> list[dict[str, Any]]:
    return [finding.to_dict() for finding in worst_first(found)]


def _unreachable(error: Unavailable) -> Finding:
    return Finding("error", error.message, "Then rehearse again.")


def _kept(context: JobContext, rehearsal: Rehearsal, result: dict[str, Any]) -> dict[str, Any]:
    with context.database.write() as session:
        stored = session.get_one(Rehearsal, rehearsal.id)
        stored.result, stored.finished_at = result, now()
    return {"rehearsal_id": rehearsal.id, "findings": len(result["findings"])}

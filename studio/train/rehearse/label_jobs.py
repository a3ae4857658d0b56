"""The job that tells what the next labels would bring: the same short run on a quarter, a half and all of the rows.

Killed at any moment it goes on: what a part came to is written down, and a part under way resumes like any run.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from storage.artifacts import write_atomically
from storage.tables import Rehearsal
from storage.types import now
from studio.jobs.context import JobCancelled, JobContext
from studio.train import recipe
from studio.train.data import TrainingData
from studio.train.laying_out import fetched
from studio.train.plan import Plan
from studio.train.planning import Parts, Planner
from studio.train.recipes.process import prepare
from studio.train.rehearse.jobs import found_rehearsal
from studio.train.rehearse.layout import WATCHING
from studio.train.rehearse.sizes import SHARES, nested
from studio.train.rehearse.worth import worth

MOST_STEPS, SAVES = 200, 3
HELD_OUT, SCORES = "held_out.jsonl", "scores.json"
Scores = list[dict[str, float]]


def label_value(context: JobContext) -> dict[str, Any]:
    """Train on nested parts of the rows with the same seed and steps, and fit how the error falls."""
    rehearsal = found_rehearsal(context)
    planner = Planner(context.database, context.artifacts, context.settings)
    parts = planner.parts(rehearsal.dataset_version_id, rehearsal.base_model_id)
    prepare(offline=bool(parts.base.digest))
    parts = replace(parts, base=fetched(context, parts.base))
    plan = planner.plan(parts, context.spec["preset"], "sft", context.spec["overrides"])
    lines = planner.lines(parts, "sft", seed=plan.value("seed") or 0)
    sizes, scored = [], []
    for place, share in enumerate(SHARES):
        few = nested(lines.train, share)
        sizes.append(len(few))
        scored.append(_part(context, parts, plan, replace(lines, train=few), place))
    result = worth(sizes, scored)
    _keep(context, rehearsal, result)
    return {"rehearsal_id": rehearsal.id, "hidden": result["hidden"], "sentence": result["sentence"]}


def _part(context: JobContext, parts: Parts, plan: Plan, lines: TrainingData, place: int) -> Scores:
    """The held-out rows' scores after training on one part; read again when they are known already."""
    folder = context.folder / f"part-{place}"
    done = folder / SCORES
    if not done.exists():
        context.leave_if_asked()
        context.report(place / len(SHARES), f"Learning from {len(lines.train):,} rows")
        _lay_out(context, folder, parts, plan, lines)
        write_atomically(done, json.dumps(_scored(context, folder, place)).encode())
        _tidy(folder)
    found: Scores = json.loads(done.read_text())
    return found


def _lay_out(context: JobContext, folder: Path, parts: Parts, plan: Plan, lines: TrainingData) -> None:
    """Held-out rows are scored at the end and not watched, so that the parts differ in their rows alone."""
    replace(lines, held_out=[], golden=[], keep=[]).write(folder / recipe.DATA)
    rows = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines.held_out)
    write_atomically(folder / recipe.DATA / HELD_OUT, rows.encode())
    recipe.write(folder, short(plan), plan.studio() | {"samples": 0})
    context.artifacts.checkout(parts.base.digest, folder / recipe.BASE)


def short(plan: Plan) -> dict[str, Any]:
    """The plan's recipe with as many steps for every part, and without evaluations."""
    steps = min(plan.steps, MOST_STEPS)
    kept = {name: value for name, value in plan.recipe().items() if name not in WATCHING}
    every = {"save_strategy": "steps", "save_steps": max(1, steps // SAVES), "eval_strategy": "no"}
    return kept | every | {"max_steps": steps, "save_total_limit": 1, "report_to": "none"}


def _scored(context: JobContext, folder: Path, place: int) -> Scores:
    from studio.train.recipes import row_scores, run

    def progress(done: float, text: str) -> None:
        context.report((place + 0.95 * done) / len(SHARES), f"Part {place + 1} of {len(SHARES)}: {text.lower()}")

    summary = run.train(folder, stop_asked=context.stop_asked, on_progress=progress)
    if summary.get("stopped"):
        raise JobCancelled()
    return row_scores.row_scores(folder, HELD_OUT)


def _tidy(folder: Path) -> None:
    """Only the scores are needed from here on."""
    for name in (recipe.BASE, recipe.OUTPUT, recipe.ADAPTER, recipe.MERGED, recipe.DATA):
        shutil.rmtree(folder / name, ignore_errors=True)


def _keep(context: JobContext, rehearsal: Rehearsal, result: dict[str, Any]) -> None:
    with context.database.write() as session:
        stored = session.get_one(Rehearsal, rehearsal.id)
        stored.result, stored.finished_at = result, now()

"""The two jobs of training: build a tiny base, and train. Either may be killed at any time and goes on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from storage.repositories.models import ModelRepository
from storage.tables import Model, TrainingRun
from studio.access.actor import Actor
from studio.errors import InvalidInput, StorageFull, StudioError
from studio.jobs.context import JobCancelled, JobContext
from studio.jobs.folders import log_tail
from studio.train import recipe
from studio.train.events import tail
from studio.train.failures import diagnose
from studio.train.finishing import finish
from studio.train.laying_out import find, fresh, lay_out
from studio.train.models import Models
from studio.train.portable import make_portable
from studio.train.recipes.process import prepare
from studio.train.runners import carry_out

LOG_LOOKED_AT = 20_000


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
    out = fresh(context.folder / "model")
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
    """Carry a training run out: lay out its folder, train, merge, prove, register what was made."""
    with context.database.read() as session:
        run = session.get(TrainingRun, context.spec["run_id"])
        done = ModelRepository(session).made_by(context.spec["run_id"])
    if run is not None and done is not None:
        return _result(run, done, run.summary)
    with _failure_remembered(context), plain_errors():
        return _trained(context)


def _trained(context: JobContext) -> dict[str, Any]:
    run, parts = find(context)
    prepare(offline=bool(parts.base.digest))
    context.report(0.01, "Preparing the data and the base model")
    lines = lay_out(context, run, parts)
    summary = carry_out(run, context.folder, context)
    if summary.pop("stopped", False):
        raise JobCancelled()
    return _result(run, finish(context, run, parts, lines, summary), summary)


def _result(run: TrainingRun, model: Model, summary: dict[str, Any]) -> dict[str, Any]:
    return {"run_id": run.id, "model_id": model.id, **summary}


@contextmanager
def _failure_remembered(context: JobContext) -> Iterator[None]:
    """Keep on the run why this attempt failed; a retry begins without."""
    try:
        yield
    except Exception as error:
        if isinstance(error, JobCancelled):
            raise
        events, _offset = tail(context.folder / recipe.EVENTS)
        log = log_tail(context.settings.runs, context.job_id, context.attempt, LOG_LOOKED_AT)
        with context.database.write() as session:
            run = session.get(TrainingRun, context.spec["run_id"])
            if run is not None:
                run.failure = diagnose(error, events, log, run.plan)
        raise


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
        if isinstance(error, StudioError):
            raise
        if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
            raise InvalidInput(
                "The run did not fit in memory. Lower the rows per step or the longest row under Advanced, or choose a "
                "smaller base; then train again."
            ) from error
        raise

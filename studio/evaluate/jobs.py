"""Job handler of evaluation."""

from __future__ import annotations

from typing import Any

from studio.evaluate.generators import Bench
from studio.evaluate.run import make_runner
from studio.jobs.context import JobContext


def evaluate(context: JobContext) -> dict[str, Any]:
    """Let every model of an evaluation answer and score it; spec: evaluation_id."""
    bench = Bench(context.settings, context.database, context.artifacts)
    return make_runner(bench, context.spec["evaluation_id"], context.report, context.leave_if_asked).run()

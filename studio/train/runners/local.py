"""The default: train in this very process, as the worker's child that it already is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.jobs.context import JobContext


def carry_out(folder: Path, context: JobContext) -> dict[str, Any]:
    """Train the folder here and report as it goes."""
    from studio.train.recipes import run as training

    def progress(done: float, text: str) -> None:
        context.report(0.05 + 0.88 * done, text)

    context.report(0.04, "Loading the trainer")
    return training.train(folder, stop_asked=context.stop_asked, on_progress=progress)

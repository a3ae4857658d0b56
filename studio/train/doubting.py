"""Keep what a freshly tuned model does not believe of its own training rows: the next thing to send to people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from storage.repositories.doubts import DoubtRepository
from storage.tables import DatasetVersion, Doubt, TrainingRun
from studio.curate.snapshot import Row
from studio.jobs.context import JobContext
from studio.train import recipe

MOST = 500
"""Doubts kept of a run: more than people look at before they train again."""
ASKED_ROWS = 20_000
"""Rows asked, from the start: one forward pass over each."""


def keep_doubts(context: JobContext, run: TrainingRun, version: DatasetVersion, rows: Sequence[Row]) -> int:
    """Ask the merged model about the rows it learned, in the order of the training file. Returns how many it doubts."""
    from studio.train.recipes.doubts import disbelieved
    from studio.train.recipes.setup import read_rows

    asked = read_rows(context.folder / recipe.DATA / recipe.TRAIN)[:ASKED_ROWS]
    found = disbelieved(Path(context.folder / recipe.MERGED), asked, MOST, context.leave_if_asked)
    keys = {"dataset_id": version.dataset_id, "training_run_id": run.id}
    doubts = [
        Doubt(example_id=rows[each.index].example_id, surprise=each.surprise, answer=each.answer, **keys)
        for each in found
    ]
    with context.database.write() as session:
        DoubtRepository(session).replace(run.id, doubts)
    return len(doubts)

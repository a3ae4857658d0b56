"""Keep what a freshly tuned model does not believe of its dataset's rows: the next thing to send to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.repositories.datasets import ExampleRepository
from storage.repositories.doubts import DoubtRepository
from storage.tables import DatasetVersion, Doubt, TrainingRun
from studio.curate.snapshot import Row
from studio.jobs.context import JobContext
from studio.train import recipe
from studio.train.data.messages import plain
from studio.train.data.source import why_left_out

MOST = 1000
"""Doubts kept of a run: more than people look at before they train again."""
ASKED_ROWS = 20_000
"""Rows asked, from the start: one forward pass over each."""


def keep_doubts(context: JobContext, run: TrainingRun, version: DatasetVersion, rows: Sequence[Row]) -> int:
    """Ask the merged model about the version's training rows, held-out ones too. Returns how many it doubts."""
    from studio.train.recipes.doubts import disbelieved

    asked = [row for row in rows if not why_left_out(row, ())][:ASKED_ROWS]
    found = disbelieved(context.folder / recipe.MERGED, list(map(_line, asked)), MOST, context.leave_if_asked)
    doubts = [
        Doubt(
            dataset_id=version.dataset_id,
            example_id=asked[each.index].example_id,
            training_run_id=run.id,
            surprise=each.surprise,
            answer=each.answer,
        )
        for each in found
    ]
    with context.database.write() as session:
        there = {each.id for each in ExampleRepository(session).by_ids([doubt.example_id for doubt in doubts])}
        kept = [doubt for doubt in doubts if doubt.example_id in there]
        DoubtRepository(session).replace(run.id, kept)
    return len(kept)


def _line(row: Row) -> dict[str, Any]:
    return {"prompt": plain(row.messages), "completion": [{"role": "assistant", "content": row.output}]}

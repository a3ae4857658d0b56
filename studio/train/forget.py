"""Forgetting rows of a frozen version: what training runs on it kept of them beside the weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from sqlmodel import col, select

from storage.artifacts import write_atomically
from storage.database import Database
from storage.tables import Job, TrainingRun
from studio.jobs.folders import RunFolder
from studio.settings import Settings
from studio.train import recipe

SAMPLE = "sample"
"""The kind of event that shows an answer; figures are in events of other kinds."""


def forget_in_runs(database: Database, settings: Settings, version_id: str) -> int:
    """Take sampled answers out of cards and events of the runs on this version, and delete the rows that were laid
    out for them; how many runs there are. A run that goes on keeps the files it reads.
    """
    with database.write() as session:
        runs = list(session.exec(select(TrainingRun).where(TrainingRun.dataset_version_id == version_id)))
        for run in runs:
            run.card = {**run.card, "fails": []} if run.card else run.card
            session.add(run)
        jobs = [run.job_id for run in runs if run.job_id]
        over = session.exec(select(Job.id).where(col(Job.id).in_(jobs), col(Job.finished_at).is_not(None)))
        folders = [RunFolder.of(settings.runs, key).work for key in over]
    for folder in folders:
        if (folder / recipe.DATA).exists():  # what cannot be deleted fails the job: nobody is told it is forgotten
            shutil.rmtree(folder / recipe.DATA)
        _forget_samples(folder / recipe.EVENTS)
    return len(runs)


def _forget_samples(path: Path) -> None:
    if path.is_file():
        lines = path.read_bytes().splitlines(keepends=True)
        write_atomically(path, b"".join(line for line in lines if not _is_sample(line)))


def _is_sample(line: bytes) -> bool:
    """A line that cannot be read may be one."""
    try:
        found = json.loads(line)
    except ValueError:
        return True
    return not isinstance(found, dict) or found.get("kind") == SAMPLE

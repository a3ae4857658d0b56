"""Will the run's files fit on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from studio.train.doctor.finding import Case, Finding
from studio.train.machine import GIB

CHECKPOINTS_KEPT = 3


def space(case: Case) -> Iterator[Finding]:
    """Base, merged model and checkpoints; with every weight trained, a checkpoint holds the optimizer too."""
    weights = case.plan.situation.shape.parameters * 4
    needed = weights * 2 + CHECKPOINTS_KEPT * weights * (3 if case.value("training") == "full" else 1)
    disk = case.disk
    while not disk.exists():
        disk = disk.parent
    free = shutil.disk_usage(disk).free
    if free < needed:
        text = f"The run may write {needed / GIB:.1f} GiB and the disk has {free / GIB:.1f} GiB free."
        yield Finding("error", text, "Free some space first.")

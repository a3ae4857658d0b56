"""Where a run happens: here by default, on all GPUs of this machine, on a cluster, in a container, at a company."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from storage.tables import TrainingRun
from studio.jobs.context import JobContext


def carry_out(run: TrainingRun, folder: Path, context: JobContext) -> dict[str, Any]:
    """Train the folder where the run says, and return its summary (`driver.carry_out`, imported when needed)."""
    from studio.train.runners import driver

    return driver.carry_out(run, folder, context)

"""Job handlers of Capture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.capture.import_file import FileImport
from studio.jobs.context import JobContext


def import_file(context: JobContext) -> dict[str, Any]:
    """Import a file of calls; an uploaded file is removed once it is in the log."""
    work = FileImport(context)
    result = work.run()
    if work.path.is_relative_to((context.settings.root / "uploads").resolve()):
        Path(work.path).unlink(missing_ok=True)
    return result

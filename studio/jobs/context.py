"""What a job handler is given: its spec, a folder, the stores, a way to report, and a way to notice a cancel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts
from storage.database import Database
from studio.settings import Settings


class JobCancelled(Exception):
    """Raised inside a handler to leave after a cancel was asked for; the work so far is kept."""


@dataclass
class JobContext:
    """One attempt of one job. `folder` survives attempts, so a handler resumes from what it finds there."""

    job_id: str
    attempt: int
    kind: str
    spec: dict[str, Any]
    folder: Path
    settings: Settings
    database: Database
    artifacts: Artifacts
    created_by: str = "operator"
    project_id: str | None = None
    on_report: Callable[[float, str], None] = field(default=lambda _progress, _text: None)
    stop_asked: Callable[[], bool] = field(default=lambda: False)

    def report(self, progress: float, text: str = "") -> None:
        """Show how far the job is (0..1) and what it is doing."""
        self.on_report(min(max(progress, 0.0), 1.0), text)

    def leave_if_asked(self) -> None:
        """Raise JobCancelled when somebody pressed Cancel."""
        if self.stop_asked():
            raise JobCancelled()

"""What every part of labeling is given."""

from __future__ import annotations

from collections.abc import Callable

from storage.database import Database
from studio.jobs.queue import Jobs
from studio.label.backend import LabelingBackend
from studio.settings import Settings


class LabelingPart:
    """The stores, the queue and the platform; the verbs are in the subclasses."""

    def __init__(
        self, database: Database, jobs: Jobs, backend_factory: Callable[[], LabelingBackend], settings: Settings
    ) -> None:
        self.database = database
        self.jobs = jobs
        self.backend = backend_factory
        self.settings = settings

"""What the verbs of Deploy have in common."""

from __future__ import annotations

from storage.artifacts import Artifacts
from storage.database import Database
from studio.jobs.queue import Jobs
from studio.settings import Settings


class DeployService:
    """Holds what the verbs need."""

    def __init__(self, database: Database, artifacts: Artifacts, jobs: Jobs, settings: Settings) -> None:
        self.database = database
        self.artifacts = artifacts
        self.jobs = jobs
        self.settings = settings

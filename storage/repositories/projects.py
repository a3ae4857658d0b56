"""Queries over projects."""

from __future__ import annotations

from storage.repositories.base import Repository
from storage.tables import Project


class ProjectRepository(Repository[Project]):
    """Projects by name."""

    table = Project

    def named(self, name: str) -> Project | None:
        """The project with this name."""
        return self.find_one(name=name)

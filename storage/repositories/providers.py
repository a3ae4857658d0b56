"""Queries over providers."""

from __future__ import annotations

from storage.repositories.base import Repository
from storage.tables import Provider


class ProviderRepository(Repository[Provider]):
    """Providers of a project by name."""

    table = Provider

    def of_project(self, project_id: str) -> list[Provider]:
        """The project's providers, oldest first."""
        return self.find(project_id=project_id)

    def named(self, project_id: str, name: str) -> Provider | None:
        """The project's provider with this name."""
        return self.find_one(project_id=project_id, name=name)

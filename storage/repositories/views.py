"""Saved views of a project's calls."""

from __future__ import annotations

from storage.repositories.base import Repository
from storage.tables import SavedView


class SavedViewRepository(Repository[SavedView]):
    """Filters that somebody gave a name."""

    table = SavedView

    def named(self, project_id: str, name: str) -> SavedView | None:
        """The project's view of this name."""
        return self.find_one(project_id=project_id, name=name)

    def remove(self, view: SavedView) -> None:
        """Delete it."""
        self.session.delete(view)
        self.session.flush()

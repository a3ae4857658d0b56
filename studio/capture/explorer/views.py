"""SavedViews: filters of calls that a team gave a name, each with how it is sorted."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from storage.database import Database
from storage.repositories.projects import ProjectRepository
from storage.repositories.views import SavedViewRepository
from storage.tables import SavedView
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.capture.explorer.answers import SORTS, Sort
from studio.capture.filters import LogFilter
from studio.errors import InvalidInput, NotFound

LONGEST = 80
MOST = 200
NEWEST_FIRST = Sort()


class SavedViews:
    """Keeps views by project and name."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def all(self, project_id: str) -> list[SavedView]:
        """The project's views by name; one that another version wrote and nobody can read is left out."""
        with self.database.read() as session:
            found = SavedViewRepository(session).find(project_id=project_id)
        return sorted((view for view in found if _readable(view)), key=lambda view: view.name.casefold())

    def save(
        self,
        actor: Actor,
        project_id: str,
        name: str,
        criteria: LogFilter,
        sort: Sort = NEWEST_FIRST,
        span: str = "",
    ) -> SavedView:
        """Save a view; one of the same name is replaced. A span ("7d") keeps its time relative to today."""
        name, query = _checked(name), _query(criteria, sort, span)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            if ProjectRepository(session).get(project_id) is None:
                raise NotFound("This project does not exist. Choose another one in the sidebar.")
            views = SavedViewRepository(session)
            row = views.named(project_id, name) or _new(views, project_id, name)
            row.query, row.created_by = query, actor.username
            views.add(row)
            record(session, actor, "saved the view", name)
        return row

    def rename(self, actor: Actor, view_id: str, name: str) -> None:
        """Give a view another name."""
        name = _checked(name)
        with self.database.write() as session:
            row = _found(session, actor, view_id)
            views = SavedViewRepository(session)
            other = views.named(row.project_id, name)
            if other is not None and other.id != row.id:
                raise InvalidInput(f"There is a view called {name} already. Choose another name, or delete that one.")
            before, row.name = row.name, name
            views.add(row)
            record(session, actor, "renamed the view", name, before=before)

    def delete(self, actor: Actor, view_id: str) -> None:
        """Delete a view; the calls it shows stay."""
        with self.database.write() as session:
            row = _found(session, actor, view_id)
            SavedViewRepository(session).remove(row)
            record(session, actor, "deleted the view", row.name)


def _new(views: SavedViewRepository, project_id: str, name: str) -> SavedView:
    if views.count(project_id=project_id) >= MOST:
        raise InvalidInput(f"A project holds up to {MOST} views. Delete one that nobody uses.")
    return SavedView(project_id=project_id, name=name)


def _found(session: Session, actor: Actor, view_id: str) -> SavedView:
    permit(session, actor, Role.EDITOR)
    row = SavedViewRepository(session).get(view_id)
    if row is None:
        raise NotFound("This view is gone; somebody has deleted it.")
    return row


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST:
        raise InvalidInput(f"Name the view after what it shows (1 to {LONGEST} characters).")
    return name


def _query(criteria: LogFilter, sort: Sort, span: str) -> dict[str, Any]:
    if sort.by not in SORTS:
        raise InvalidInput(f"Calls cannot be sorted by {sort.by}. Choose one of {', '.join(SORTS)}.")
    apart = ("project_id", "since", "until") if span else ("project_id",)
    conditions = {name: value for name, value in criteria.to_dict().items() if name not in apart}
    relative = {"range": span} if span else {}
    return {**conditions, **relative, "sort": {"by": sort.by, "descending": sort.descending}}


def _readable(view: SavedView) -> bool:
    conditions = {name: value for name, value in view.query.items() if name not in ("sort", "range")}
    try:
        LogFilter.from_dict({**conditions, "project_id": view.project_id})
    except InvalidInput:
        return False
    return True

"""Projects: one per GenAI feature; everything else belongs to one."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, StringConstraints, ValidationError

from storage.database import Database
from storage.repositories.projects import ProjectRepository
from storage.tables import Project
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.errors import Conflict, InvalidInput, NotFound


class _ProjectInput(BaseModel):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)] = ""


class Projects:
    """Makes and finds projects."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, actor: Actor, name: str, description: str = "", is_sample: bool = False) -> Project:
        """A new project. Raises InvalidInput for a bad name, Conflict for one that is taken."""
        given = _checked(name, description)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            projects = ProjectRepository(session)
            if projects.named(given.name):
                raise Conflict(f"There is already a project named {given.name}. Choose another name.")
            project = projects.add(Project(name=given.name, description=given.description, is_sample=is_sample))
            record(session, actor, "created the project", project.name)
            return project

    def update(self, actor: Actor, project_id: str, name: str, description: str = "") -> Project:
        """Rename or describe a project; ids and links stay."""
        given = _checked(name, description)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            projects = ProjectRepository(session)
            project, other = _known(projects.get(project_id)), projects.named(given.name)
            if other and other.id != project_id:
                raise Conflict(f"There is already a project named {given.name}. Choose another name.")
            record(session, actor, "changed the project", given.name, before=project.name)
            project.name, project.description = given.name, given.description
            return projects.add(project)

    def all(self) -> list[Project]:
        """Every project, oldest first."""
        with self.database.read() as session:
            return ProjectRepository(session).find()

    def get(self, project_id: str) -> Project:
        """The project with this id. Raises NotFound."""
        with self.database.read() as session:
            return _known(ProjectRepository(session).get(project_id))

    def find(self, name: str) -> Project | None:
        """The project with this name, or None."""
        with self.database.read() as session:
            return ProjectRepository(session).named(name)


def _checked(name: str, description: str) -> _ProjectInput:
    try:
        return _ProjectInput(name=name, description=description)
    except ValidationError as error:
        raise InvalidInput("Give the project a name of 1 to 120 characters.") from error


def _known(project: Project | None) -> Project:
    if project is None:
        raise NotFound("This project does not exist. Choose another one in the sidebar.")
    return project

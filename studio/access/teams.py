"""Teams: named groups of people who are asked together."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlmodel import Session

from storage.database import Database
from storage.repositories.people import PersonRepository, TeamRepository
from storage.tables import Team
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.errors import InvalidInput, NotFound


class Teams:
    """Makes, changes and finds teams."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def all(self) -> list[Team]:
        """Every team by name."""
        with self.database.read() as session:
            return sorted(TeamRepository(session).find(), key=lambda team: team.name.lower())

    def save(self, actor: Actor, name: str, members: Sequence[str]) -> Team:
        """Make the team, or give the one of this name these members. Raises InvalidInput for unknown people."""
        name, usernames = _name(name), list(dict.fromkeys(members))
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            _known(session, usernames)
            teams = TeamRepository(session)
            team = teams.named(name) or Team(name=name)
            team.members = usernames
            record(session, actor, "saved the team", name, members=usernames)
            return teams.add(team)

    def delete(self, actor: Actor, team_id: str) -> None:
        """Remove the team; its people and what they were asked stay."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            team = TeamRepository(session).get(team_id)
            if team is None:
                raise NotFound("This team does not exist any more.")
            record(session, actor, "deleted the team", team.name)
            session.delete(team)


def members_of(session: Session, names: Collection[str]) -> list[str]:
    """Everybody in these teams, once each. Raises InvalidInput for a team there is not."""
    teams = {team.name: team.members for team in TeamRepository(session).find()}
    unknown = [name for name in names if name not in teams]
    if unknown:
        raise InvalidInput(f"There is no team called {', '.join(unknown)}. Make it under Settings, Teams.")
    return list(dict.fromkeys(member for name in names for member in teams[name]))


def _name(name: str) -> str:
    if not name.strip() or len(name.strip()) > 60:
        raise InvalidInput("Give the team a name of 1 to 60 characters.")
    return name.strip()


def _known(session: Session, usernames: Sequence[str]) -> None:
    if not usernames:
        raise InvalidInput("Choose at least one person for the team.")
    people = {person.username for person in PersonRepository(session).find(active=True)}
    unknown = [name for name in usernames if name not in people]
    if unknown:
        raise InvalidInput(f"There is nobody called {', '.join(unknown)}. Invite them under Settings, People.")

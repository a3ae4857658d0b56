"""Teams: named groups of people."""

from __future__ import annotations

import pytest

from storage.database import Database
from storage.tables import Person
from studio.access.actor import Actor
from studio.access.audit import AuditTrail
from studio.access.teams import Teams
from studio.errors import InvalidInput, NotFound

ME = Actor.operator()


@pytest.fixture
def teams(database: Database) -> Teams:
    with database.write() as session:
        session.add_all(Person(username=name, role="labeler") for name in ("mia", "noah"))
        session.add(Person(username="gone", role="labeler", active=False))
    return Teams(database)


def test_saving_a_name_again_changes_its_people(teams: Teams, database: Database) -> None:
    first = teams.save(ME, " support ", ["mia", "mia"])
    again = teams.save(ME, "support", ["noah", "mia"])
    assert first.id == again.id and [(team.name, team.members) for team in teams.all()] == [
        ("support", ["noah", "mia"])
    ]
    assert [event.what for event in AuditTrail(database).recent()].count("saved the team") == 2


def test_a_deleted_team_is_gone(teams: Teams) -> None:
    team = teams.save(ME, "support", ["mia"])
    teams.delete(ME, team.id)
    assert teams.all() == []
    with pytest.raises(NotFound):
        teams.delete(ME, team.id)


@pytest.mark.parametrize(
    ("name", "members", "says"),
    [("", ["mia"], "1 to 60"), ("x" * 61, ["mia"], "1 to 60"), ("a", [], "at least one"), ("a", ["gone"], "gone")],
)
def test_what_makes_no_team_is_refused(teams: Teams, name: str, members: list[str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        teams.save(ME, name, members)

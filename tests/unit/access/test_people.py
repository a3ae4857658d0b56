"""People sign in with a password or a one-time link, and lose their powers at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage.database import Database
from storage.tables import Person, SignIn, SignInLink
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.access.audit import AuditTrail
from studio.access.people import People, hash_token
from studio.access.secrets import SecretBox
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound, SignedOut
from studio.settings import Settings

PASSWORD = "a long enough one"


@pytest.fixture
def people(database: Database, settings: Settings) -> People:
    return People(database, SecretBox(settings.secrets))


@pytest.fixture
def admin(people: People) -> Actor:
    made = people.first_admin()
    assert made
    token = people.redeem(made[1])
    assert token
    actor = people.actor_for(token)
    assert actor
    return actor


def test_an_empty_database_gets_one_admin_and_only_once(people: People) -> None:
    made = people.first_admin()
    assert made and made[0].role == "admin"
    assert people.first_admin() is None


def test_a_one_time_link_signs_in_once(people: People) -> None:
    made = people.first_admin()
    assert made
    token = people.redeem(made[1])
    assert token
    actor = people.actor_for(token)
    assert actor and actor.role is Role.ADMIN
    assert people.redeem(made[1]) is None


def test_an_expired_link_signs_nobody_in(people: People, database: Database) -> None:
    made = people.first_admin()
    assert made
    with database.write() as session:
        link = session.get(SignInLink, hash_token(made[1]))
        assert link
        link.expires_at = now() - timedelta(seconds=1)
    assert people.redeem(made[1]) is None


def test_a_fresh_link_withdraws_the_earlier_one(people: People, admin: Actor) -> None:
    first = people.invite(admin, "ana", Role.EDITOR)
    ana = next(person for person in people.all() if person.username == "ana")
    second = people.link(admin, ana.id)
    assert people.redeem(first) is None
    assert people.redeem(second)


def test_a_password_signs_in_and_a_wrong_one_does_not(people: People, admin: Actor) -> None:
    people.create(admin, "ana", PASSWORD, "editor")
    token = people.sign_in("ana", PASSWORD)
    assert token
    actor = people.actor_for(token)
    assert actor and (actor.username, actor.role) == ("ana", Role.EDITOR)
    assert people.sign_in("ana", PASSWORD + "x") is None
    assert people.sign_in("nobody", PASSWORD) is None


def test_an_invited_person_without_a_password_cannot_sign_in_with_an_empty_one(people: People, admin: Actor) -> None:
    people.invite(admin, "ana", "labeler")
    assert people.sign_in("ana", "") is None


def test_neither_password_nor_cookie_nor_link_is_stored_in_clear(people: People, database: Database) -> None:
    made = people.first_admin()
    assert made
    link, cookie = made[1], people.redeem(made[1])
    assert cookie
    people.set_password(Actor.operator(), made[0].id, PASSWORD)
    raw = "\n".join(line for line in database.engine.raw_connection().iterdump())  # type: ignore[attr-defined]
    assert "argon2id" in raw
    assert not any(secret in raw for secret in (PASSWORD, link, cookie))


def test_a_revoked_sign_in_stops_at_once_inside_the_verb(people: People, admin: Actor, database: Database) -> None:
    people.create(admin, "ana", PASSWORD, "admin")
    token = people.sign_in("ana", PASSWORD)
    assert token
    ana = people.actor_for(token)
    assert ana
    people.sign_out(token)
    assert people.actor_for(token) is None
    with pytest.raises(SignedOut):
        people.invite(ana, "eve", "viewer")


def test_deactivating_signs_out_everywhere_and_keeps_out(people: People, admin: Actor) -> None:
    ana = people.create(admin, "ana", PASSWORD, "editor")
    token = people.sign_in("ana", PASSWORD)
    assert token
    people.deactivate(admin, ana.id)
    assert people.actor_for(token) is None
    assert people.sign_in("ana", PASSWORD) is None
    people.activate(admin, ana.id)
    assert people.sign_in("ana", PASSWORD)


def test_an_expired_sign_in_is_nobody(people: People, admin: Actor, database: Database) -> None:
    with database.write() as session:
        sign_in = session.get(SignIn, admin.sign_in)
        assert sign_in
        sign_in.expires_at = now() - timedelta(seconds=1)
    with pytest.raises(SignedOut):
        people.invite(admin, "eve", "viewer")


def test_a_changed_role_counts_from_the_next_verb(people: People, admin: Actor, database: Database) -> None:
    ana = people.create(admin, "ana", PASSWORD, "admin")
    token = people.sign_in("ana", PASSWORD)
    assert token
    actor = people.actor_for(token)
    assert actor
    people.set_role(admin, ana.id, "viewer")
    with database.read() as session, pytest.raises(NotAllowed):
        permit(session, actor, Role.LABELER)


@pytest.mark.parametrize("verb", ["demote", "deactivate"])
def test_the_last_admin_cannot_be_removed(people: People, admin: Actor, verb: str) -> None:
    assert admin.person_id
    with pytest.raises(NotAllowed, match="last admin"):
        if verb == "demote":
            people.set_role(admin, admin.person_id, "editor")
        else:
            people.deactivate(admin, admin.person_id)
    people.create(admin, "ana", PASSWORD, "admin")
    assert people.set_role(admin, admin.person_id, "editor").role == "editor"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.LABELER, Role.EDITOR])
def test_only_admins_manage_people(people: People, admin: Actor, role: Role) -> None:
    bob = people.create(admin, "bob", PASSWORD, role)
    token = people.sign_in("bob", PASSWORD)
    assert token and admin.person_id
    actor = people.actor_for(token)
    assert actor
    for verb in (
        lambda: people.create(actor, "eve", PASSWORD, "viewer"),
        lambda: people.invite(actor, "eve", "viewer"),
        lambda: people.link(actor, bob.id),
        lambda: people.set_role(actor, bob.id, "admin"),
        lambda: people.deactivate(actor, bob.id),
        lambda: people.activate(actor, bob.id),
        lambda: people.set_password(actor, str(admin.person_id), PASSWORD),
    ):
        with pytest.raises(NotAllowed):
            verb()
    assert [person.username for person in people.all()] == ["admin", "bob"]


def test_setting_ones_own_password_signs_out_the_other_browsers(people: People, admin: Actor) -> None:
    ana = people.create(admin, "ana", PASSWORD, "viewer")
    here, elsewhere = people.sign_in("ana", PASSWORD), people.sign_in("ana", PASSWORD)
    assert here and elsewhere
    actor = people.actor_for(here)
    assert actor
    people.set_password(actor, ana.id, "another long one")
    assert people.actor_for(here) and people.actor_for(elsewhere) is None
    assert people.sign_in("ana", "another long one")


@pytest.mark.parametrize("name", ["", " ", "-ana", "ana maria", "ana\nX-Role: admin", "<b>", "a" * 61, "änna"])
def test_usernames_that_could_break_headers_or_pages_are_refused(people: People, name: str) -> None:
    with pytest.raises(InvalidInput):
        people.invite(Actor.operator(), name, "viewer")


def test_wrong_roles_short_passwords_and_taken_names_are_explained(people: People, admin: Actor) -> None:
    with pytest.raises(InvalidInput, match="no role 'root'"):
        people.invite(admin, "ana", "root")
    with pytest.raises(InvalidInput, match="at least 10"):
        people.create(admin, "ana", "short", "viewer")
    people.invite(admin, "ana", "viewer")
    with pytest.raises(Conflict, match="already somebody named ana"):
        people.invite(admin, "ana", "viewer")
    with pytest.raises(NotFound):
        people.deactivate(admin, "nobody")


def test_what_was_done_to_people_is_in_the_trail(people: People, admin: Actor, database: Database) -> None:
    people.invite(admin, "ana", "viewer")
    ana = next(person for person in people.all() if person.username == "ana")
    people.set_role(admin, ana.id, "editor")
    newest = AuditTrail(database).recent()[0]
    assert (newest.who, newest.what, newest.noun) == ("admin", "changed the role of", "ana")
    assert newest.detail == {"before": "viewer", "after": "editor"}


def test_a_refused_change_leaves_no_trace(people: People, viewer: Actor, database: Database) -> None:
    with pytest.raises(NotAllowed):
        people.invite(viewer, "eve", "admin")
    assert AuditTrail(database).recent() == []
    with database.read() as session:
        assert session.get(Person, viewer.person_id)

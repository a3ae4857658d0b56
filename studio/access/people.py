"""People: who may sign in, how (password or one-time link), and with which role."""

from __future__ import annotations

import hashlib
import re
import secrets as random
from datetime import timedelta

from sqlmodel import Session

from storage.database import Database
from storage.repositories.people import PersonRepository, SignInLinkRepository, SignInRepository
from storage.tables import Person, SignIn, SignInLink
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.access.passwords import hash_password, is_right
from studio.access.secrets import SecretBox
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound

SIGN_IN_LASTS = timedelta(days=7)
LINK_LASTS = timedelta(days=7)
USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,59}\Z")


def hash_token(token: str) -> str:
    """The SHA-256 under which a cookie or link token is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


class People:
    """Makes people, signs them in and out, and changes what they may do."""

    def __init__(self, database: Database, secrets: SecretBox) -> None:
        self.database = database
        self.secrets = secrets

    # --- coming in -------------------------------------------------------------------------------------------------

    def first_admin(self, username: str = "admin") -> tuple[Person, str] | None:
        """On an empty database, make the first admin and a one-time link to sign in; else None."""
        with self.database.write() as session:
            if PersonRepository(session).count():
                return None
            person = _add(session, username, Role.ADMIN, hash_password(random.token_urlsafe(32)))
            return person, _new_link(session, person)

    def sign_in(self, username: str, password: str) -> str | None:
        """A cookie token, or None when the name or the password is wrong."""
        with self.database.read() as session:
            person = PersonRepository(session).named(username)
        if not is_right(person.password_hash if person and person.active else "", password) or person is None:
            return None
        with self.database.write() as session:
            return _new_sign_in(session, person.id)

    def redeem(self, link_token: str) -> str | None:
        """A cookie token for a one-time link, or None if it was used, withdrawn or is too old."""
        with self.database.write() as session:
            link = SignInLinkRepository(session).use(hash_token(link_token), now())
            person = PersonRepository(session).get(link.person_id) if link else None
            return _new_sign_in(session, person.id) if person and person.active else None

    def actor_for(self, cookie_token: str) -> Actor | None:
        """Who this cookie belongs to, now; None once it is revoked or expired."""
        if not isinstance(cookie_token, str) or not cookie_token:
            return None
        with self.database.read() as session:
            found = SignInRepository(session).with_person(hash_token(cookie_token))
        if found is None or found[0].expires_at < now() or not found[1].active:
            return None
        sign_in, person = found
        return Actor(person.username, Role(person.role), person.id, sign_in.token_hash)

    def sign_out(self, token: str) -> None:
        """End this browser's sign-in."""
        with self.database.write() as session:
            SignInRepository(session).remove(hash_token(token))

    # --- who there is ----------------------------------------------------------------------------------------------

    def all(self) -> list[Person]:
        """Everybody, deactivated people too, oldest first."""
        with self.database.read() as session:
            return PersonRepository(session).find()

    def create(self, actor: Actor, username: str, password: str, role: Role | str) -> Person:
        """A new person who signs in with a password."""
        password_hash = hash_password(password)
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            person = _add(session, username, _role(role), password_hash)
            record(session, actor, "added", person.username, role=person.role)
            return person

    def invite(self, actor: Actor, username: str, role: Role | str) -> str:
        """A new person without a password, and the one-time link that signs them in."""
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            person = _add(session, username, _role(role), "")
            record(session, actor, "invited", person.username, role=person.role)
            return _new_link(session, person)

    def link(self, actor: Actor, person_id: str) -> str:
        """A fresh one-time link for somebody who lost theirs or their password; earlier links stop working."""
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            person = _known(session, person_id)
            SignInLinkRepository(session).remove_all(person_id)
            record(session, actor, "made a sign-in link for", person.username)
            return _new_link(session, person)

    def link_for(self, actor: Actor, username: str) -> str:
        """`link` by username, for the operator's command line."""
        with self.database.read() as session:
            person = PersonRepository(session).named(username)
        if person is None:
            raise NotFound(f"There is nobody named {username}.")
        return self.link(actor, person.id)

    # --- what they may do ------------------------------------------------------------------------------------------

    def set_role(self, actor: Actor, person_id: str, role: Role | str) -> Person:
        """Change a role; it counts from the person's next click. The last admin stays one."""
        wanted = _role(role)
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            person = _known(session, person_id)
            if wanted is not Role.ADMIN:
                _keep_an_admin(session, person)
            record(session, actor, "changed the role of", person.username, before=person.role, after=wanted.value)
            person.role = wanted.value
            return PersonRepository(session).add(person)

    def deactivate(self, actor: Actor, person_id: str) -> Person:
        """Sign a person out everywhere and keep them out; what they did stays."""
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            person = _known(session, person_id)
            _keep_an_admin(session, person)
            person.active = False
            SignInRepository(session).remove_all(person_id)
            SignInLinkRepository(session).remove_all(person_id)
            record(session, actor, "deactivated", person.username)
            return PersonRepository(session).add(person)

    def activate(self, actor: Actor, person_id: str) -> Person:
        """Let a deactivated person sign in again."""
        with self.database.write() as session:
            permit(session, actor, Role.ADMIN)
            person = _known(session, person_id)
            person.active = True
            record(session, actor, "activated", person.username)
            return PersonRepository(session).add(person)

    def set_password(self, actor: Actor, person_id: str, password: str) -> None:
        """Set one's own password, or as an admin anybody's; every other browser of that person is signed out."""
        password_hash = hash_password(password)
        with self.database.write() as session:
            permit(session, actor, Role.VIEWER if actor.person_id == person_id else Role.ADMIN)
            person = _known(session, person_id)
            person.password_hash = password_hash
            PersonRepository(session).add(person)
            SignInRepository(session).remove_all(person_id, keep=actor.sign_in)
            record(session, actor, "set the password of", person.username)


def _add(session: Session, username: str, role: Role, password_hash: str) -> Person:
    name = username.strip()
    if not USERNAME.match(name):
        raise InvalidInput("A username has up to 60 letters, digits or . @ _ - and starts with a letter or digit.")
    people = PersonRepository(session)
    if people.named(name):
        raise Conflict(f"There is already somebody named {name}. Choose another username.")
    return people.add(Person(username=name, role=role.value, password_hash=password_hash))


def _new_sign_in(session: Session, person_id: str) -> str:
    token, sign_ins = random.token_urlsafe(32), SignInRepository(session)
    sign_ins.remove_expired(now())
    sign_ins.add(SignIn(token_hash=hash_token(token), person_id=person_id, expires_at=now() + SIGN_IN_LASTS))
    return token


def _new_link(session: Session, person: Person) -> str:
    token = random.token_urlsafe(32)
    link = SignInLink(token_hash=hash_token(token), person_id=person.id, expires_at=now() + LINK_LASTS)
    SignInLinkRepository(session).add(link)
    return token


def _known(session: Session, person_id: str) -> Person:
    person = PersonRepository(session).get(person_id)
    if person is None:
        raise NotFound("This person does not exist.")
    return person


def _keep_an_admin(session: Session, person: Person) -> None:
    """Refuse to take away the last active admin."""
    if person.role == Role.ADMIN and person.active and PersonRepository(session).active_admins() == 1:
        raise NotAllowed(f"{person.username} is the last admin. Make somebody else an admin first.")


def _role(role: Role | str) -> Role:
    try:
        return Role(role)
    except ValueError as error:
        raise InvalidInput(f"There is no role {role!r}. Choose one of: {', '.join(Role)}.") from error

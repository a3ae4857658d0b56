"""Actor: who is asking. Every mutating verb takes one and calls `permit` inside its own transaction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import Session

from storage.tables import Person, SignIn
from storage.types import now
from studio.errors import NotAllowed, SignedOut


class Role(StrEnum):
    """What a person may do; each role includes the ones before it."""

    VIEWER = "viewer"
    LABELER = "labeler"
    EDITOR = "editor"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Position in the order of powers."""
        return list(Role).index(self)


@dataclass(frozen=True)
class Actor:
    """A signed-in person, or the operator of this machine (`sign_in` is None and `person_id` is None)."""

    username: str
    role: Role
    person_id: str | None = None
    sign_in: str | None = None
    """SHA-256 of the sign-in cookie, checked again at every verb so that a revoked sign-in stops at once."""

    @classmethod
    def operator(cls, username: str = "operator") -> Actor:
        """Whoever runs `studio` or a job on this machine: already able to read the database file."""
        return cls(username, Role.ADMIN)

    def can(self, needed: Role) -> bool:
        """Whether the role suffices; presentation only, `permit` is the check."""
        return self.role.rank >= needed.rank


def permit(session: Session, actor: Actor, needed: Role) -> None:
    """Let the verb go on only if the actor is still signed in and their role, as it is now, suffices.

    Raises SignedOut or NotAllowed.
    """
    role = actor.role if actor.person_id is None else _present_role(session, actor)
    if role.rank < needed.rank:
        raise NotAllowed(f"This needs the role {needed}; you are {role}. Ask an admin under Settings, People.")


def _present_role(session: Session, actor: Actor) -> Role:
    person = session.get(Person, actor.person_id)
    sign_in = session.get(SignIn, actor.sign_in) if actor.sign_in else None
    if person is None or not person.active or sign_in is None or sign_in.expires_at < now():
        raise SignedOut()
    if sign_in.person_id != person.id:
        raise SignedOut()
    return Role(person.role)

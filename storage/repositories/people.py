"""Queries over people, their sign-ins and links, API keys and the audit trail."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col, delete, select, update

from storage.repositories.base import Repository
from storage.tables import ApiKey, AuditEvent, Person, SignIn, SignInLink, Team


class PersonRepository(Repository[Person]):
    """People by name and role."""

    table = Person

    def named(self, username: str) -> Person | None:
        """The person with this username, active or not."""
        return self.find_one(username=username)

    def active_admins(self) -> int:
        """How many people can still administer the studio."""
        return self.count(role="admin", active=True)


class SignInRepository(Repository[SignIn]):
    """Browsers that are signed in."""

    table = SignIn

    def with_person(self, token_hash: str) -> tuple[SignIn, Person] | None:
        """The sign-in with this token hash and the person it belongs to."""
        query = select(SignIn, Person).where(SignIn.token_hash == token_hash, Person.id == SignIn.person_id)
        return self.session.exec(query).first()

    def remove(self, token_hash: str) -> None:
        """End one sign-in."""
        self.session.exec(delete(SignIn).where(col(SignIn.token_hash) == token_hash))

    def remove_all(self, person_id: str, keep: str | None = None) -> None:
        """End every sign-in of a person, except the one with the hash `keep`."""
        query = delete(SignIn).where(col(SignIn.person_id) == person_id)
        self.session.exec(query if keep is None else query.where(col(SignIn.token_hash) != keep))

    def remove_expired(self, before: datetime) -> None:
        """Forget sign-ins that ended before this moment."""
        self.session.exec(delete(SignIn).where(col(SignIn.expires_at) < before))


class SignInLinkRepository(Repository[SignInLink]):
    """One-time links."""

    table = SignInLink

    def use(self, token_hash: str, at: datetime) -> SignInLink | None:
        """Mark an unused, unexpired link as used and return it; None if there is no such link."""
        link = self.get(token_hash)
        if link is None or link.used_at is not None or link.expires_at < at:
            return None
        link.used_at = at
        return self.add(link)

    def remove_all(self, person_id: str) -> None:
        """Withdraw a person's links."""
        self.session.exec(delete(SignInLink).where(col(SignInLink.person_id) == person_id))


class TeamRepository(Repository[Team]):
    """Named groups of people."""

    table = Team

    def named(self, name: str) -> Team | None:
        """The team of this name."""
        return self.find_one(name=name)


class ApiKeyRepository(Repository[ApiKey]):
    """Programs' keys, found by hash."""

    table = ApiKey

    def by_hash(self, key_hash: str) -> ApiKey | None:
        """The key that is not revoked and has this hash."""
        query = select(ApiKey).where(ApiKey.key_hash == key_hash, col(ApiKey.revoked_at).is_(None))
        return self.session.exec(query).first()

    def mark_used(self, key_ids: list[str], at: datetime) -> None:
        """Note when these keys were last seen."""
        self.session.exec(update(ApiKey).where(col(ApiKey.id).in_(key_ids)).values(last_used_at=at))


class AuditRepository(Repository[AuditEvent]):
    """The trail of who did what."""

    table = AuditEvent

    def newest(self, limit: int) -> list[AuditEvent]:
        """The latest events, newest first."""
        return list(self.session.exec(select(AuditEvent).order_by(col(AuditEvent.id).desc()).limit(limit)))

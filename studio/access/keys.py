"""ApiKeys: what programs show to the gateway. 256 random bits, so one SHA-256 is enough to store and to check."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from storage.database import Database
from storage.repositories.people import ApiKeyRepository
from storage.repositories.projects import ProjectRepository
from storage.tables import ApiKey
from storage.types import now
from studio.access.actor import Actor, Role, permit
from studio.access.audit import record
from studio.errors import InvalidInput, NotFound

PREFIX = "wk-"
INFER, REPORT, FEEDBACK, READ = "infer", "report", "feedback", "read"
SCOPES = {
    INFER: "Ask models through the gateway",
    REPORT: "Report calls that were made elsewhere",
    FEEDBACK: "Send feedback and outcomes",
    READ: "Read captured calls",
}
ALL_BUT_READ = frozenset({INFER, REPORT, FEEDBACK})
"""What a key may do that names no scope."""
SHOWN = 10
MOST_PER_MINUTE = 1_000_000_000


def hash_key(secret: str) -> str:
    """The SHA-256 under which a key is stored and found."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True)
class Allowed:
    """What a key may do, until when, and how much in a minute; None is without end or limit."""

    scopes: tuple[str, ...] = ()
    """Empty is all but read."""
    expires_at: datetime | None = None
    calls_per_minute: int | None = None
    tokens_per_minute: int | None = None


def has_expired(key: ApiKey) -> bool:
    """Whether its time is over."""
    return key.expires_at is not None and key.expires_at <= now()


def allowed_scopes(key: ApiKey) -> frozenset[str]:
    """What a key may do."""
    return frozenset(key.scopes) if key.scopes else ALL_BUT_READ


class ApiKeys:
    """Makes, checks and revokes keys."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, actor: Actor, project_id: str, name: str, allowed: Allowed | None = None) -> tuple[ApiKey, str]:
        """A new key and its secret, shown now and never again. It may do all but read unless told otherwise."""
        name, facts = name.strip(), _checked(allowed or Allowed())
        if not 1 <= len(name) <= 80:
            raise InvalidInput("Name the key after the program that uses it (1 to 80 characters).")
        secret = PREFIX + secrets.token_urlsafe(32)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            if ProjectRepository(session).get(project_id) is None:
                raise NotFound("This project does not exist. Choose another one in the sidebar.")
            key = ApiKey(project_id=project_id, name=name, prefix=secret[:SHOWN], key_hash=hash_key(secret), **facts)
            ApiKeyRepository(session).add(key)
            record(session, actor, "created the API key", name, prefix=key.prefix, scopes=sorted(allowed_scopes(key)))
        return key, secret

    def change(self, actor: Actor, key_id: str, allowed: Allowed) -> ApiKey:
        """Let a key do this from now on; gateways know it within five seconds."""
        facts = _checked(allowed)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            key = _existing(session, key_id)
            for name, value in facts.items():
                setattr(key, name, value)
            ApiKeyRepository(session).add(key)
            record(
                session, actor, "changed the API key", key.name, prefix=key.prefix, scopes=sorted(allowed_scopes(key))
            )
            return key

    def resolve(self, secret: str) -> ApiKey | None:
        """The key with this secret, or None if there is none, or it was revoked or has expired."""
        if not secret.startswith(PREFIX):
            return None
        with self.database.read() as session:
            key = ApiKeyRepository(session).by_hash(hash_key(secret))
        return None if key is None or has_expired(key) else key

    def mark_used(self, key_ids: Iterable[str]) -> None:
        """Note that these keys were just used; call it now and then, not on every request."""
        with self.database.write() as session:
            ApiKeyRepository(session).mark_used(list(key_ids), now())

    def revoke(self, actor: Actor, key_id: str) -> ApiKey:
        """Stop a key from working. Revoking twice changes nothing."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            key = _existing(session, key_id)
            if key.revoked_at is None:
                key.revoked_at = now()
                record(session, actor, "revoked the API key", key.name, prefix=key.prefix)
            return ApiKeyRepository(session).add(key)

    def all(self, project_id: str) -> list[ApiKey]:
        """The project's keys, revoked ones too, oldest first."""
        with self.database.read() as session:
            return ApiKeyRepository(session).find(project_id=project_id)


def _existing(session: Session, key_id: str) -> ApiKey:
    found = ApiKeyRepository(session).get(key_id)
    if found is None:
        raise NotFound("This key does not exist.")
    return found


def _checked(allowed: Allowed) -> dict[str, Any]:
    """The columns. Raises InvalidInput."""
    if unknown := [scope for scope in allowed.scopes if scope not in SCOPES]:
        raise InvalidInput(f"A key has no scope {unknown[0]!r}. There are: {', '.join(SCOPES)}.")
    if allowed.expires_at is not None and allowed.expires_at <= now():
        raise InvalidInput("The key would have expired already. Choose a day to come.")
    for limit in (allowed.calls_per_minute, allowed.tokens_per_minute):
        if limit is not None and not 1 <= limit <= MOST_PER_MINUTE:
            raise InvalidInput(f"A limit per minute is between 1 and {MOST_PER_MINUTE:,}; leave it empty for none.")
    return {
        "scopes": [scope for scope in SCOPES if scope in allowed.scopes],
        "expires_at": allowed.expires_at,
        "calls_per_minute": allowed.calls_per_minute,
        "tokens_per_minute": allowed.tokens_per_minute,
    }

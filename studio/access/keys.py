"""ApiKeys: what programs show to the gateway. 256 random bits, so one SHA-256 is enough to store and to check."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable

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


def hash_key(secret: str) -> str:
    """The SHA-256 under which a key is stored and found."""
    return hashlib.sha256(secret.encode()).hexdigest()


def allowed_scopes(key: ApiKey) -> frozenset[str]:
    """What a key may do."""
    return frozenset(key.scopes) if key.scopes else ALL_BUT_READ


class ApiKeys:
    """Makes, checks and revokes keys."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def create(self, actor: Actor, project_id: str, name: str) -> tuple[ApiKey, str]:
        """A new key and its secret, which is shown now and never again."""
        name = name.strip()
        if not 1 <= len(name) <= 80:
            raise InvalidInput("Name the key after the program that uses it (1 to 80 characters).")
        secret = PREFIX + secrets.token_urlsafe(32)
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            if ProjectRepository(session).get(project_id) is None:
                raise NotFound("This project does not exist. Choose another one in the sidebar.")
            key = ApiKey(project_id=project_id, name=name, prefix=secret[:SHOWN], key_hash=hash_key(secret))
            ApiKeyRepository(session).add(key)
            record(session, actor, "created the API key", name, prefix=key.prefix)
        return key, secret

    def resolve(self, secret: str) -> ApiKey | None:
        """The key with this secret, or None if there is none or it was revoked."""
        if not secret.startswith(PREFIX):
            return None
        with self.database.read() as session:
            return ApiKeyRepository(session).by_hash(hash_key(secret))

    def mark_used(self, key_ids: Iterable[str]) -> None:
        """Note that these keys were just used; call it now and then, not on every request."""
        with self.database.write() as session:
            ApiKeyRepository(session).mark_used(list(key_ids), now())

    def revoke(self, actor: Actor, key_id: str) -> ApiKey:
        """Stop a key from working. Revoking twice changes nothing."""
        with self.database.write() as session:
            permit(session, actor, Role.EDITOR)
            keys = ApiKeyRepository(session)
            key = keys.get(key_id)
            if key is None:
                raise NotFound("This key does not exist.")
            if key.revoked_at is None:
                key.revoked_at = now()
                record(session, actor, "revoked the API key", key.name, prefix=key.prefix)
            return keys.add(key)

    def all(self, project_id: str) -> list[ApiKey]:
        """The project's keys, revoked ones too, oldest first."""
        with self.database.read() as session:
            return ApiKeyRepository(session).find(project_id=project_id)

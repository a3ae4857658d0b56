"""What a key may do is checked when it is made, and kept when it is changed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage.database import Database
from storage.tables import Project
from storage.types import now
from studio.access.actor import Actor, Role
from studio.access.keys import ALL_BUT_READ, Allowed, ApiKeys, allowed_scopes
from studio.errors import InvalidInput, NotFound


@pytest.fixture
def keys(database: Database) -> ApiKeys:
    return ApiKeys(database)


def test_a_new_key_may_do_all_but_read_without_end_or_limit(keys: ApiKeys, project: Project, operator: Actor) -> None:
    key, _ = keys.create(operator, project.id, "checkout")
    assert allowed_scopes(key) == ALL_BUT_READ
    assert (key.expires_at, key.calls_per_minute, key.tokens_per_minute) == (None, None, None)


def test_scopes_limits_and_the_last_day_are_kept_and_changed(keys: ApiKeys, project: Project, operator: Actor) -> None:
    ends = now() + timedelta(days=1)
    key, secret = keys.create(operator, project.id, "checkout", Allowed(("read", "infer", "read"), ends, 10, 2000))
    found = keys.resolve(secret)
    assert found and found.scopes == ["infer", "read"] and found.expires_at == ends
    assert (found.calls_per_minute, found.tokens_per_minute) == (10, 2000)
    keys.change(operator, key.id, Allowed(("report",)))
    found = keys.resolve(secret)
    assert found and found.scopes == ["report"] and found.calls_per_minute is None and found.expires_at is None


def test_an_expired_key_is_nobodys(keys: ApiKeys, project: Project, operator: Actor, database: Database) -> None:
    key, secret = keys.create(operator, project.id, "checkout", Allowed(expires_at=now() + timedelta(days=1)))
    with database.write() as session:
        row = session.get_one(type(key), key.id)
        row.expires_at = now() - timedelta(seconds=1)
        session.add(row)
    assert keys.resolve(secret) is None


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        (Allowed(("everything",)), "no scope 'everything'. There are: infer, report, feedback, read"),
        (Allowed(expires_at=now() - timedelta(days=1)), "expired already"),
        (Allowed(calls_per_minute=0), "between 1 and"),
        (Allowed(tokens_per_minute=2_000_000_000), "between 1 and"),
    ],
)
def test_what_makes_no_sense_is_refused(
    keys: ApiKeys, project: Project, operator: Actor, allowed: Allowed, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        keys.create(operator, project.id, "checkout", allowed)
    key, _ = keys.create(operator, project.id, "checkout")
    with pytest.raises(InvalidInput, match=said):
        keys.change(operator, key.id, allowed)


def test_only_a_key_that_is_there_is_changed(keys: ApiKeys, operator: Actor) -> None:
    assert operator.role == Role.ADMIN
    with pytest.raises(NotFound):
        keys.change(operator, "gone", Allowed())

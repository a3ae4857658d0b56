"""Keys and routes are remembered, renewed, and survive a database that is away."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from storage.tables import ApiKey
from studio.deploy.router import Route
from studio.gateway import keys as module
from studio.gateway.errors import ApiError
from studio.gateway.http import Request
from studio.gateway.keys import KeyCache
from studio.gateway.routing import Routing
from tests.fakes.routing import FakeKeys, FakeTable, api_key

AWAY = OperationalError("select", {}, Exception("disk I/O error"))
SECRET = "wk-secret"


def request(authorization: str) -> Request:
    async def nothing(*_: Any) -> Any: ...

    headers = [(b"authorization", authorization.encode())]
    return Request({"method": "GET", "path": "/", "headers": headers}, nothing, nothing)


def asked(cache: KeyCache, secret: str = SECRET) -> str:
    async def ask() -> str:
        found = await cache.require(request(f"Bearer {secret}"))
        await asyncio.sleep(0.02)
        return found.project_id

    return asyncio.run(ask())


@pytest.fixture
def keys() -> FakeKeys:
    return FakeKeys({SECRET: api_key()})


def test_a_key_is_looked_up_once_for_many_calls_at_once(keys: FakeKeys) -> None:
    async def many(cache: KeyCache) -> set[str]:
        found = await asyncio.gather(*(cache.require(request(f"bearer {SECRET}")) for _ in range(50)))
        return {key.project_id for key in found}

    assert asyncio.run(many(KeyCache(keys))) == {"p1"} and keys.asked == 1


@pytest.mark.parametrize("header", ["", "wk-secret", "Basic wk-secret", "Bearer ", "Bearer wk-other"])
def test_anything_but_a_known_key_is_refused(keys: FakeKeys, header: str) -> None:
    with pytest.raises(ApiError) as told:
        asyncio.run(KeyCache(keys).require(request(header)))
    assert told.value.status == 401


def test_a_revoked_key_is_served_from_memory_no_longer_than_it_may(
    keys: FakeKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = KeyCache(keys)
    assert asked(cache) == "p1"
    keys.secrets.clear()
    assert asked(cache) == "p1" and keys.asked == 1
    monkeypatch.setattr(module, "FRESH_S", 0)
    assert asked(cache) == "p1"  # renewed in the background
    with pytest.raises(ApiError, match="not valid"):
        asked(cache)


def test_known_callers_are_served_while_the_database_is_away(keys: FakeKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = KeyCache(keys)
    asked(cache)
    keys.error = AWAY
    monkeypatch.setattr(module, "FRESH_S", 0)
    monkeypatch.setattr(module, "KNOWN_S", 0)
    assert asked(cache) == "p1"
    with pytest.raises(ApiError, match="database does not answer") as told:
        asked(cache, "wk-unknown")
    assert told.value.status == 503


def test_the_use_of_keys_is_noted(keys: FakeKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOTED_EVERY_S", 0.01)
    cache = KeyCache(keys)

    async def use() -> None:
        task = asyncio.ensure_future(cache.note_used())
        await cache.require(request(f"Bearer {SECRET}"))
        await asyncio.sleep(0.1)
        task.cancel()

    asyncio.run(use())
    assert keys.used == {"k1"}


def test_the_last_table_stays_in_force_while_loading_fails() -> None:
    table = FakeTable({"alias": [Route("http://up/v1", "up", "alias")]})
    loads = iter([table, AWAY, table])

    def load() -> FakeTable:
        found = next(loads)
        if isinstance(found, Exception):
            raise found
        return found

    routing = Routing(load)
    with pytest.raises(ApiError, match="no routes yet"):
        routing.pick("p1", "alias", None)
    for _ in range(3):
        asyncio.run(routing.refresh())
        assert routing.pick("p1", "alias", None).upstream_model == "up"


def test_an_unknown_model_names_the_known_ones() -> None:
    routing = Routing(lambda: FakeTable({"alias": [], "other": []}))
    asyncio.run(routing.refresh())
    with pytest.raises(ApiError, match="alias, other") as told:
        routing.pick("p1", "nope", None)
    assert told.value.status == 404


def test_the_same_wrong_key_reaches_the_database_once_and_works_soon_after_it_is_made(
    keys: FakeKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = KeyCache(keys)
    monkeypatch.setattr(module, "UNKNOWN_S", 3600.0)
    for _ in range(5):
        with pytest.raises(ApiError, match="not valid"):
            asked(cache, "wk-new")
    assert keys.asked == 1
    keys.secrets["wk-new"] = api_key("k2", "p2")
    monkeypatch.setattr(module, "UNKNOWN_S", 0.0)
    assert asked(cache, "wk-new") == "p2"


def test_a_flood_of_wrong_keys_neither_crowds_the_database_nor_a_known_key(
    keys: FakeKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_IN_LINE", 30)
    monkeypatch.setattr(module, "MOST_UNKNOWN", 10)
    gate, at_once, most = threading.Event(), 0, 0
    lock = threading.Lock()

    class Slow(FakeKeys):
        def resolve(self, secret: str, /) -> ApiKey | None:
            nonlocal at_once, most
            if secret == SECRET:
                return super().resolve(secret)
            with lock:
                at_once += 1
                most = max(most, at_once)
            gate.wait(60)
            with lock:
                at_once -= 1
            return None

    async def flood(cache: KeyCache) -> list[int]:
        await cache.require(request(f"Bearer {SECRET}"))
        wrong = [asyncio.ensure_future(cache.require(request(f"Bearer wk-{number}"))) for number in range(50)]
        await asyncio.sleep(0.05)
        monkeypatch.setattr(module, "FRESH_S", 0)
        monkeypatch.setattr(module, "KNOWN_S", 0)
        assert (await cache.require(request(f"Bearer {SECRET}"))).project_id == "p1"  # looked up beside the flood
        gate.set()
        found = await asyncio.gather(*wrong, return_exceptions=True)
        return [error.status for error in found if isinstance(error, ApiError)]

    statuses = asyncio.run(flood(KeyCache(Slow(keys.secrets))))
    assert most <= module.AT_ONCE and statuses.count(401) == 30 and statuses.count(503) == 20

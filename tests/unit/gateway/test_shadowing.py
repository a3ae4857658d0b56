"""Copies for a shadow: in bounds, never in the way, and written without secrets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from storage.database import Database
from storage.tables import Project, Revision
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.redactor import Redactor
from studio.deploy import shadow_log
from studio.deploy.counting import Attempt
from studio.deploy.router import Route, position
from studio.deploy.shadow_log import Answered, ShadowLog
from studio.deploy.shadows import Shadows
from studio.gateway import shadowing as module
from studio.gateway.body import Body
from studio.gateway.keys import KeyOf
from studio.gateway.routing import Routing
from studio.gateway.shadowing import Shadowing
from studio.gateway.upstream.errors import UpstreamError
from tests.fakes.routing import FakeTable
from tests.fakes.shadowed import shadow_of

RAW = json.dumps({"model": "triage", "messages": [{"role": "user", "content": "Hi"}], "stream": True}).encode()
LIVE = Route("http://live/v1", "big", "triage", deployment_id="d", model_id="m")
SHADOW = Route("http://shadow/v1", "triage-r2", "triage", deployment_id="d", revision_id="r2", api_key="sk-shadow")
KEY = "sk-live-abcdefghijklmnopqrstuvwxyz012345"


class Shadowed(FakeTable):
    """Every call has these shadows."""

    percent = 100.0

    def shadows(self, route: Route) -> list[tuple[Route, float]]:
        return [(SHADOW, self.percent)]


class AnsweredCall:
    """What shadowing needs of a call that has ended."""

    def __init__(self, uid: str = "u1", ended: str = "ok", route: Route | None = LIVE) -> None:
        self.uid, self.ended, self.route, self.failed = uid, ended, route, False
        self.key = KeyOf("k", "p")
        self.body, self.reply, self.sse, self.answered_ms = Body(RAW, json.loads(RAW), {}, None), b"{}", False, 5.0


class FakeReply:
    status = 200

    async def read_all(self, wait_s: float, most: int) -> bytes:
        return b'{"choices": [{"message": {"role": "assistant", "content": "hi"}}]}'

    def release(self) -> None:
        """Nothing is held."""


class FakeUpstreams:
    """Answers when told to, or not at all."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.bodies, self.open, self.most = error, list[Any](), 0, 0
        self.go = asyncio.Event()

    async def post(self, base_url: str, path: bytes, headers: Any, body: bytes, wait_s: float) -> FakeReply:
        self.bodies.append((base_url, dict(headers), json.loads(body)))
        self.open += 1
        self.most = max(self.most, self.open)
        await self.go.wait()
        self.open -= 1
        if self.error:
            raise self.error
        return FakeReply()


class Kept:
    """A log of shadows in memory."""

    def __init__(self) -> None:
        self.rows: list[Answered] = []

    def add(self, answered: Answered) -> None:
        self.rows.append(answered)


async def shadowed(
    upstreams: FakeUpstreams, calls: list[Any], percent: float = 100.0
) -> tuple[Any, Kept, list[Attempt]]:
    """Offer the calls, let the shadow answer, and say what came of it."""
    table, kept, counted = Shadowed({"triage": [LIVE]}), Kept(), list[Attempt]()
    table.percent = percent
    routing = Routing(lambda: table)
    await routing.refresh()
    made = Shadowing(routing, upstreams, counted.append, kept, 60)  # type: ignore[arg-type]
    running = asyncio.ensure_future(made.run())
    for call in calls:
        made.offer(call)
    await asyncio.sleep(0)
    upstreams.go.set()
    due = sum(call.ended == "ok" and position(call.uid) * 100 < percent for call in calls)
    async with asyncio.timeout(60):
        while len(kept.rows) + made.dropped < due:
            await asyncio.sleep(0.001)
    running.cancel()
    return made, kept, counted


def test_a_copy_goes_to_the_shadow_with_its_own_key_and_in_one_piece() -> None:
    async def ask() -> None:
        upstreams = FakeUpstreams()
        _made, kept, counted = await shadowed(upstreams, [AnsweredCall(), AnsweredCall(ended="error")])
        ((url, headers, body),) = upstreams.bodies
        assert (url, headers[b"authorization"]) == ("http://shadow/v1", b"Bearer sk-shadow")
        assert body["model"] == "triage-r2" and "stream" not in body
        assert [(row.log_uid, row.live_route, row.revision_id, row.error) for row in kept.rows] == [
            ("u1", "m", "r2", None)
        ]
        assert [(each.route, each.failed, each.shadow) for each in counted] == [("r2", False, True)]

    asyncio.run(ask())


def test_few_copies_run_at_once_few_wait_and_the_rest_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 10)

    async def flood() -> None:
        upstreams = FakeUpstreams()
        made, kept, _counted = await shadowed(upstreams, [AnsweredCall(f"u{number}") for number in range(50)])
        assert upstreams.most <= module.AT_ONCE and len(kept.rows) + made.dropped == 50 and made.dropped >= 36

    asyncio.run(flood())


def test_bodies_that_are_too_large_together_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", len(RAW) * 2)

    async def flood() -> None:
        made, kept, _counted = await shadowed(FakeUpstreams(), [AnsweredCall(f"u{number}") for number in range(5)])
        assert (len(kept.rows), made.dropped) == (1, 4)

    asyncio.run(flood())


def test_a_share_of_the_calls_is_chosen_by_their_ids() -> None:
    async def ask() -> None:
        calls = [AnsweredCall(f"u{number}") for number in range(40)]
        _made, kept, _counted = await shadowed(FakeUpstreams(), calls, 20.0)
        assert {row.log_uid for row in kept.rows} == {call.uid for call in calls if position(call.uid) < 0.2}

    asyncio.run(ask())


def test_a_shadow_that_does_not_answer_is_counted_and_kept_as_an_error() -> None:
    async def ask() -> None:
        _made, kept, counted = await shadowed(FakeUpstreams(UpstreamError("no connection")), [AnsweredCall()])
        assert kept.rows[0].error == "The server does not answer: no connection."
        assert counted[0].failed and counted[0].ms is None

    asyncio.run(ask())


def answered(shadow: Revision, uid: str = "u1", **facts: Any) -> Answered:
    request = {"messages": [{"role": "user", "content": f"my key is {KEY}"}]}
    reply = {"choices": [{"message": {"role": "assistant", "content": f"use {KEY}"}}]}
    stream = {"choices": [{"delta": {"content": "streamed"}}]}
    values: dict[str, Any] = {
        "project_id": "p",
        "deployment_id": shadow.deployment_id,
        "revision_id": shadow.id,
        "log_uid": uid,
        "request": json.dumps(request).encode(),
        "live_route": "m",
        "live_reply": b"data: " + json.dumps(stream).encode() + b"\n\ndata: [DONE]\n\n",
        "live_is_stream": True,
        "live_ms": 3.0,
        "status": 200,
        "shadow_reply": json.dumps(reply).encode(),
        "shadow_ms": 4.0,
    }
    return Answered(**{**values, **facts})


def test_pairs_are_written_without_secrets(database: Database, project: Project) -> None:
    shadow = shadow_of(database, project)
    kept = ShadowLog(database, Cleaner(Redactor(b"k" * 32)))
    kept.add(answered(shadow))
    kept.add(answered(shadow, "u2", status=503, shadow_reply=f'{{"error": "no {KEY}"}}'.encode()))
    kept.add(answered(shadow, "u3", status=500, shadow_reply=b""))
    assert kept.flush()
    found = {pair.log_uid: pair for pair in Shadows(database, None, None).pairs(shadow.deployment_id)}  # type: ignore[arg-type]
    assert found["u1"].live_text == "streamed" and found["u1"].shadow_text.startswith("use [redacted:")
    assert "[redacted:" in str(found["u1"].messages) and "[redacted:" in (found["u2"].error or "")
    assert (found["u2"].shadow_text, found["u3"].error) == ("", "It answered 500.")
    assert KEY not in str([pair.model_dump() for pair in found.values()])


class Away:
    """A database that is not there until it is told to be."""

    def __init__(self, real: Database) -> None:
        self.real, self.away = real, True

    def write(self) -> Any:
        if self.away:
            raise OperationalError("insert", {}, Exception("connection refused"))
        return self.real.write()


def test_pairs_wait_for_a_database_that_is_away_the_oldest_are_dropped_when_there_are_too_many(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_log, "MOST_KEPT", 3)
    shadow, away = shadow_of(database, project), Away(database)
    kept = ShadowLog(away, Cleaner(Redactor(b"k" * 32)))  # type: ignore[arg-type]
    for number in range(4):
        kept.add(answered(shadow, f"u{number}"))
    assert not kept.flush() and kept.dropped == 1
    away.away = False
    assert kept.flush()
    pairs = Shadows(database, None, None).pairs(shadow.deployment_id)  # type: ignore[arg-type]
    assert {pair.log_uid for pair in pairs} == {"u1", "u2", "u3"}


def test_pairs_that_are_too_large_together_are_dropped_the_oldest_first(
    database: Database, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadow, away = shadow_of(database, project), Away(database)
    monkeypatch.setattr(shadow_log, "MOST_BYTES", 2 * answered(shadow, "u1").size)
    kept = ShadowLog(away, Cleaner(Redactor(b"k" * 32)))  # type: ignore[arg-type]
    for number in range(3):
        kept.add(answered(shadow, f"u{number}"))
    assert not kept.flush() and kept.dropped == 1
    kept.add(answered(shadow, "u3"))
    away.away = False
    assert kept.flush() and kept.dropped == 2
    kept.add(answered(shadow, "u4"))
    assert kept.flush() and kept.dropped == 2
    pairs = Shadows(database, None, None).pairs(shadow.deployment_id)  # type: ignore[arg-type]
    assert {pair.log_uid for pair in pairs} == {"u2", "u3", "u4"}


def test_pairs_of_a_shadow_that_is_gone_are_dropped(database: Database, project: Project) -> None:
    shadow = shadow_of(database, project)
    kept = ShadowLog(database, Cleaner(Redactor(b"k" * 32)))
    kept.add(answered(shadow, revision_id="gone"))
    assert kept.flush() and kept.dropped == 1

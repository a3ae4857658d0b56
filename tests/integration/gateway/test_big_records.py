"""A big record is cleaned in a process of its own: its caller waits for it, and nobody else does."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from studio.capture.journal import Journal
from studio.capture.privacy.beside import Beside
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.policy import FULL, Policy
from studio.capture.privacy.redactor import Redactor
from studio.capture.record import Record
from studio.capture.recorder import Recorder
from studio.capture.segments import segments
from studio.deploy.router import Route
from studio.gateway import compose
from studio.gateway.compose import build_gateway
from studio.settings import Settings
from tests.fakes.gateway_thread import serving
from tests.fakes.held_cleaner import Held
from tests.fakes.routing import FakeKeys, FakeTable, api_key
from tests.fakes.upstream import FakeUpstream, serve
from tests.integration.gateway.conftest import find_port

SECRET = "wk-secret"
PASTED = "sk-live-0123456789abcdefghijklmnopqrstuv"
BIG = "The quarterly report shows revenue. " * 30_000 + PASTED
WAIT_S = 60.0

pytestmark = pytest.mark.slow


class Asked:
    """A gateway whose helper is held, and what it has written."""

    def __init__(self, url: str, folder: Path, held: Held, upstream: FakeUpstream) -> None:
        self.url, self.folder, self.held, self.upstream = url, folder, held, upstream
        self._callers = ThreadPoolExecutor(4)

    def post(self, text: str, **more: Any) -> httpx.Response:
        body = {"model": "up-ok", "messages": [{"role": "user", "content": text}], **more}
        headers = {"authorization": f"Bearer {SECRET}"}
        return httpx.post(f"{self.url}/v1/chat/completions", json=body, headers=headers, timeout=WAIT_S)

    def begin(self, text: str, **more: Any) -> Future[httpx.Response]:
        """Ask, and come back once the upstream has answered and the helper has the record."""
        asked = self._callers.submit(self.post, text, **more)
        until(lambda: self.held.process is not None)
        assert len(self.upstream.requests) == 1
        return asked

    def report(self, text: str) -> Future[httpx.Response]:
        body = {"request": {"model": "m", "messages": [{"role": "user", "content": text}]}, "response": {}}
        headers = {"authorization": f"Bearer {SECRET}"}
        return self._callers.submit(
            lambda: httpx.post(f"{self.url}/v1/report", json=body, headers=headers, timeout=WAIT_S)
        )

    def written(self) -> list[Record]:
        return written(self.folder)


def written(folder: Path) -> list[Record]:
    return [Record.unpack(payload) for each in segments(folder) for payload, _ in each.frames(0)]


def until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    settings = Settings(home=tmp_path / "home", upstream_timeout_s=60, max_body_mb=16)
    held = Held(settings.secrets, tmp_path / "gate")
    monkeypatch.setattr(compose, "Beside", lambda _: held)
    port = find_port()
    table = FakeTable({"up-ok": [Route(f"http://127.0.0.1:{port}/v1", "up-ok", "up-ok")]})
    keys = FakeKeys({SECRET: api_key()})
    with serve(port) as upstream:
        gateway = build_gateway(settings, keys, lambda: table, lambda _: None)
        with serving(gateway) as url:
            yield Asked(url, settings.journal, held, upstream)
            held.open()


@pytest.mark.parametrize("stream", [False, True])
def test_others_are_answered_while_a_big_record_is_cleaned(asked: Asked, stream: bool) -> None:
    big = asked.begin(BIG, stream=stream)
    assert [asked.post(f"small {number}").status_code for number in range(20)] == [200] * 20
    assert len(asked.written()) == 20 and not big.done()
    asked.held.open()
    assert big.result(WAIT_S).status_code == 200
    last = asked.written()[-1]
    assert len(last.request) > 1_000_000 and b"[redacted:" in last.request and PASTED.encode() not in last.request


def test_a_helper_that_is_killed_costs_the_texts_and_not_the_answer(asked: Asked) -> None:
    big = asked.begin(BIG)
    assert asked.held.process is not None
    os.kill(asked.held.process.pid, signal.SIGKILL)
    assert big.result(WAIT_S).status_code == 200
    [record] = asked.written()
    assert record.meta["redactions"] == {"withheld": 1} and record.meta["model"] == "up-ok"
    assert record.meta["prompt_tokens"] == 11 and b"quarterly" not in record.request and b"caf" not in record.reply
    asked.held.open()
    assert asked.post(BIG).status_code == 200  # by another helper
    assert b"quarterly" in asked.written()[-1].request


def test_a_big_report_waits_for_its_record_alone(asked: Asked) -> None:
    told = asked.report(BIG)
    until(lambda: asked.held.process is not None)
    assert asked.post("small").status_code == 200 and len(asked.written()) == 1 and not told.done()
    asked.held.open()
    assert told.result(WAIT_S).status_code == 202
    assert b"[redacted:" in asked.written()[-1].request


class Changing:
    """A recorder whose project changes its mind while the helper is held."""

    def __init__(self, folder: Path) -> None:
        self.policy, self.folder = FULL, folder / "journal"
        Redactor.of(folder)
        self.held = Held(folder, folder / "gate")
        cleaner = Cleaner(Redactor.of(folder), lambda _: self.policy)
        self.recorder = Recorder(Journal(self.folder), cleaner, self.held)

    def begin(self) -> asyncio.Task[bool]:
        meta = {"uid": "a", "at": 1.0, "project_id": "p1", "model": "m"}
        body = b'{"messages": [{"role": "user", "content": "ask ann@example.com %b"}]}' % (b"x " * 200_000)
        task = self.recorder.begin(meta, body, b"{}")
        assert task is not None
        return task


def test_a_policy_that_changes_meanwhile_is_honoured(tmp_path: Path) -> None:
    async def change(found: Changing) -> None:
        task = found.begin()
        await asyncio.sleep(0)
        found.policy = Policy(detectors=("email",))
        found.held.open()
        assert await task
        await found.recorder.finish()

    found = Changing(tmp_path)
    asyncio.run(change(found))
    [record] = written(found.folder)
    assert b"[email]" in record.request and b"ann@" not in record.request


def test_a_gateway_that_stops_waits_for_what_is_being_cleaned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.capture.recorder.FINISH_S", WAIT_S)

    async def stop(found: Changing) -> None:
        found.begin()
        asyncio.get_running_loop().call_later(0.1, found.held.open)
        await found.recorder.finish()

    found = Changing(tmp_path)
    asyncio.run(stop(found))
    [record] = written(found.folder)
    assert b"ann@example.com" in record.request and found.held.process is None


def test_one_that_cannot_wait_any_longer_writes_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop(found: Changing) -> None:
        found.begin()
        await found.recorder.finish()

    monkeypatch.setattr("studio.capture.recorder.FINISH_S", 0.05)
    found = Changing(tmp_path)
    asyncio.run(stop(found))
    [record] = written(found.folder)
    assert record.meta["redactions"] == {"withheld": 1} and b"ann@" not in record.request


def test_the_helper_cleans_as_the_gateway_does_and_seals_with_the_same_key(tmp_path: Path) -> None:
    from studio.access.secrets import SecretBox
    from studio.capture.privacy.sealing import sealing

    policy = Policy(detectors=("email",), pseudonyms=True)
    here = Cleaner(Redactor.of(tmp_path), lambda _: policy, sealing(tmp_path))
    record = Record(
        {"uid": "a", "at": 1.0, "project_id": "p", "user_id": "ann@example.com"}, b'{"a": "bo@example.com"}'
    )
    beside = Beside(tmp_path)
    payload = beside.clean(record, policy).result(WAIT_S)
    beside.close()
    assert payload is not None
    there, own = Record.unpack(payload), here.record(record)
    assert own is not None and (there.request, there.meta["user_id"]) == (own.request, own.meta["user_id"])
    opened = {SecretBox(tmp_path).decrypt(each["sealed"]) for each in there.meta["pseudonyms"].values()}
    assert opened == {"ann@example.com", "bo@example.com"}

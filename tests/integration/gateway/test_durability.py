"""What the gateway acknowledged is never lost, and no secret is ever written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from standardwebhooks.webhooks import Webhook

from studio.access.actor import Actor
from studio.access.keys import ApiKeys
from tests.fakes.upstream import ANSWER

pytestmark = pytest.mark.slow

ASK: Any = [{"role": "user", "content": "Hello"}]
LOG_ID = "x-whetstone-log-id"


def test_a_gateway_killed_right_after_the_end_of_a_stream_has_recorded_it(own_stack: Any) -> None:
    raw = own_stack.client.chat.completions.with_raw_response.create(model="triage", messages=ASK, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in raw.parse()) == ANSWER
    os.kill(own_stack.process.pid, signal.SIGKILL)
    own_stack.process.wait(60)
    entry = own_stack.entry(raw.headers[LOG_ID])
    assert entry.status == "ok" and entry.reply_text == ANSWER
    assert list(own_stack.settings.journal.glob("*.journal")) == []


def test_a_gateway_killed_under_load_loses_no_acknowledged_call(own_stack: Any) -> None:
    acknowledged = []
    with own_stack.web as web:
        for number in range(200):
            body = {"model": "triage", "messages": [{"role": "user", "content": str(number)}]}
            acknowledged.append(web.post("/v1/chat/completions", json=body).headers[LOG_ID])
            if number == 120:
                os.kill(own_stack.process.pid, signal.SIGKILL)
                break
    own_stack.process.wait(60)
    own_stack.drain()
    recorded = [entry.uid for entry in own_stack.all_entries()]
    assert recorded == acknowledged and len(recorded) == 121


def test_a_stopped_gateway_finishes_the_answers_under_way(own_stack: Any) -> None:
    raw = own_stack.client.chat.completions.with_raw_response.create(model="up-drip", messages=ASK, stream=True)
    stream = iter(raw.parse())
    next(stream)
    own_stack.process.send_signal(signal.SIGTERM)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == ANSWER
    own_stack.process.wait(60)
    assert own_stack.entry(raw.headers[LOG_ID]).status == "ok"


def test_no_secret_reaches_the_journal_or_the_database(stack: Any) -> None:
    pasted = "sk-live-0123456789abcdefghijklmnopqrstuv"
    message = [{"role": "user", "content": f"my key is {pasted}"}]
    client = stack.client
    client.chat.completions.create(model="triage", messages=message, extra_body={"api_key": "sk-" + "body" * 8})
    for model in ("up-refuses", "up-busy"):
        with pytest.raises(openai.APIStatusError):
            client.chat.completions.create(model=model, messages=message)
    with stack.web as web:
        web.post("/v1/feedback", json={"tags": {"a": "b"}, "kind": "comment", "text": pasted})
    secrets = [stack.secret, pasted, "sk-provider-0123456789", "sk-upstreamsecret", "sk-bodybody"]
    journal = b"".join(path.read_bytes() for path in stack.settings.journal.rglob("*") if path.is_file())
    assert b"[redacted:" in journal and not [secret for secret in secrets if secret.encode() in journal]
    stack.drain()
    files = b"".join(path.read_bytes() for path in stack.settings.root.glob("studio.db*"))
    assert b"[redacted:" in files and not [secret for secret in secrets if secret.encode() in files]


def test_a_revoked_key_soon_stops(stack: Any) -> None:
    keys, actor = ApiKeys(stack.database), Actor.operator()
    key, secret = keys.create(actor, stack.project.id, "to revoke")
    with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {secret}"}) as web:
        assert web.get("/v1/models").status_code == 200
        keys.revoke(actor, key.id)
        revoked = time.monotonic()
        while web.get("/v1/models").status_code == 200:
            assert time.monotonic() - revoked < 60
            time.sleep(0.1)


def test_feedback_by_log_id_by_answer_id_and_on_its_own_path_reaches_the_call(stack: Any) -> None:
    raw = stack.client.chat.completions.with_raw_response.create(model="triage", messages=ASK)
    uid, answer = raw.headers[LOG_ID], raw.parse()
    with stack.web as web:
        first = web.post("/v1/feedback", json={"uid": uid, "kind": "thumbs", "value": 1, "given_by": "ann"})
        second = web.post("/v1/feedback", json={"external_id": answer.id, "kind": "correction", "text": "better"})
        third = web.post(f"/v1/logs/{uid}/feedback", json={"kind": "score", "name": "tone", "value": 0.5})
        refused = web.post("/v1/feedback", json={"uid": uid, "kind": "thumbs", "value": 5})
    assert [reply.status_code for reply in (first, second, third)] == [202, 202, 202]
    assert refused.status_code == 400 and "1 (up) or 0 (down)" in refused.json()["error"]["message"]
    entry = stack.entry(uid)
    assert (entry.rating, entry.correction) == ("up", "better")
    assert {row.kind: row.given_by for row in stack.logs.feedback_of(entry)}["thumbs"] == "ann"


def test_a_call_made_elsewhere_is_reported_with_its_cost(stack: Any) -> None:
    response = {"id": "elsewhere-1", "model": "up-ok-2", "choices": [{"message": {"content": "yes"}}]}
    report = {
        "request": {"model": "triage", "messages": ASK},
        "response": {**response, "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0}},
        "started_at": "2026-01-02T03:04:05Z",
        "latency_ms": 123,
        "tags": {"from": "batch"},
    }
    with stack.web as web:
        uid = web.post("/v1/report", json=report).json()["id"]
        refused = web.post("/v1/report", json={"request": {"messages": []}})
    entry = stack.entry(uid)
    assert (entry.source, entry.model, entry.served_model) == ("report", "triage", "up-ok-2")
    assert (entry.cost_usd, entry.latency_ms, entry.created_at.year, entry.tags) == (1.0, 123, 2026, {"from": "batch"})
    assert refused.status_code == 400 and "request.messages" in refused.json()["error"]["message"]


def test_an_argilla_event_leaves_a_hint(stack: Any) -> None:
    hint = stack.settings.root / "hints" / "argilla"
    assert not hint.exists()
    assert httpx.post(f"{stack.url}/webhooks/argilla", json={"type": "response.created"}).status_code == 204
    assert hint.exists()


@pytest.fixture
def recorder(stack: Any) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "STUDIO_HOME": str(stack.settings.home)}
    process = subprocess.Popen([sys.executable, "-m", "studio.capture.drain"], env=environment)
    yield process
    process.terminate()
    process.wait(60)


def test_the_recorder_process_brings_calls_in_and_ends_cleanly(stack: Any, recorder: subprocess.Popen[bytes]) -> None:
    _call_and_wait(stack)
    _call_and_wait(stack)
    recorder.terminate()
    assert recorder.wait(60) == 0


def _call_and_wait(stack: Any) -> None:
    raw = stack.client.chat.completions.with_raw_response.create(model="triage", messages=ASK)
    deadline = time.monotonic() + 60
    while raw.headers[LOG_ID] not in [entry.uid for entry in stack.all_entries()]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_signed_events_are_checked(tmp_path: Path) -> None:
    import asyncio
    import json

    from studio.gateway.errors import ApiError
    from studio.gateway.http import Request
    from studio.gateway.webhooks import ArgillaEvents

    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    seen: list[Any] = []
    events, body = ArgillaEvents(seen.append, lambda: secret), json.dumps({"type": "record.completed"})

    async def post(signature: str) -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": body.encode()}

        async def send(_: Any) -> None: ...

        at = str(int(time.time()))
        signed = signature or Webhook(secret).sign("m1", _moment(at), body)
        headers = [(b"webhook-id", b"m1"), (b"webhook-timestamp", at.encode()), (b"webhook-signature", signed.encode())]
        await events(Request({"method": "POST", "path": "/", "headers": headers}, receive, send))

    with pytest.raises(ApiError, match="signature"):
        asyncio.run(post("v1,AAAA"))
    asyncio.run(post(""))
    assert seen == [{"type": "record.completed"}]


def _moment(at: str) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(at), UTC)

"""No key reaches the disk, whichever way it comes in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.intakes.conftest import MODEL, Stand
from tests.contract.intakes.test_litellm import RECORDED
from tests.contract.intakes.test_otlp import export, span

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"
TEXT = f"My key is {KEY}."
TURNS = [{"role": "user", "content": TEXT}]
REPLY = {"id": "chatcmpl-1", "choices": [{"message": {"role": "assistant", "content": TEXT}}]}
SPOKEN = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": MODEL,
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": TEXT}]}]),
    "session.id": KEY,
    "langfuse.trace.metadata.note": TEXT,
}
GENERATION = {"id": "g", "traceId": "t", "model": MODEL, "input": TURNS, "output": REPLY, "endTime": "2026-01-01"}
PATHS: list[tuple[str, Any]] = [
    ("/v1/report", {"request": {"model": MODEL, "messages": TURNS}, "response": REPLY, "tags": {"note": TEXT}}),
    ("/v1/traces", export(span(SPOKEN, status={"code": 2, "message": TEXT}))),
    ("/api/v1/report", {"reqPayload": {"model": MODEL, "messages": TURNS}, "respPayload": REPLY, "tags": {"n": TEXT}}),
    ("/v1/logs", {"request": {"body": {"model": MODEL, "messages": TURNS}}, "response": {"body": REPLY}}),
    ("/v1/intake/litellm", [{**RECORDED[0], "messages": TURNS, "response": REPLY, "request_tags": [KEY]}]),
    ("/api/public/ingestion", {"batch": [{"id": "e", "type": "generation-create", "body": GENERATION}]}),
]


def everything(stand: Stand) -> str:
    """All that is on the disk: what waits in the journal and what is in the database."""
    held = b"".join(path.read_bytes() for path in stand.settings.journal.rglob("*") if path.is_file())
    rows = [call.model_dump_json() for call in stand.calls()]
    said = [one.model_dump_json() for call in stand.calls() for one in stand.feedback(call)]
    return held.decode("utf-8", "replace") + "".join(rows + said)


@pytest.mark.parametrize(("path", "body"), PATHS, ids=[path for path, _ in PATHS])
def test_keys_are_taken_out_on_every_path(stand: Stand, path: str, body: Any) -> None:
    headers = {"content-type": "application/json"}
    assert stand.web.post(path, json=body, headers=headers).status_code in (200, 202, 207)
    assert stand.call().model == MODEL
    assert KEY not in everything(stand) and "[redacted:" in everything(stand)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/feedback", {"kind": "comment", "text": TEXT}),
        ("/v1/feedback", {"value": 5, "metadata": {"text": TEXT}}),
        ("/api/public/scores", {"name": "output", "value": TEXT, "dataType": "CORRECTION", "traceId": "t-1"}),
        ("/api/v1/logs/update-tags", {"filters": [{"field": "tags.a", "equals": "b"}], "tags": {"note": TEXT}}),
    ],
    ids=["ours", "portkey", "langfuse", "openpipe"],
)
def test_keys_are_taken_out_of_feedback(stand: Stand, path: str, said: dict[str, Any]) -> None:
    call = {"request": {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}}
    stand.web.post("/v1/report", json={**call, "trace_id": "t-1", "tags": {"a": "b"}})
    told = {**said, "trace_id": "t-1"} if path == "/v1/feedback" else said
    assert stand.web.post(path, json=told).status_code in (200, 202)
    stand.feedback(stand.call())
    assert KEY not in everything(stand) and "[redacted:" in everything(stand)

"""LiteLLM's payloads, as a real LiteLLM sent them (`litellm_1_106_2.json` says which)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.intakes.conftest import Stand

RECORDED = json.loads((Path(__file__).parent / "litellm_1_106_2.json").read_text())["payloads"]


def send(stand: Stand, body: str) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    answer = stand.web.post("/v1/intake/litellm", content=body.encode(), headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("form", ["json_array", "ndjson", "single"])
def test_each_way_to_send_gives_the_same_calls_once(stand: Stand, form: str) -> None:
    bodies = {
        "json_array": [json.dumps(RECORDED)],
        "ndjson": ["\n".join(json.dumps(one) for one in RECORDED)],
        "single": [json.dumps(one) for one in RECORDED],
    }[form]
    for body in (*bodies, *bodies):
        assert send(stand, body)["errors"] == []
    called, streamed, failed = stand.calls()
    assert (called.source, called.model, called.served_model) == ("litellm", "gpt-4o-mini", "gpt-4o-mini-2024")
    assert [message["content"] for message in called.messages] == ["be brief", "How cold is Oslo?"]
    assert (called.reply["content"], called.finish_reason) == ("It is 5 degrees.", "stop")
    assert (called.user_id, called.trace_id, called.external_id) == ("u-1", "s-9", "chatcmpl-1")
    assert called.tags == {"prod": "true", "triage": "true", "prompt_id": "p1"}
    assert called.tools[0]["function"]["name"] == "get_weather" and called.params["temperature"] == 0.2
    assert (called.prompt_tokens, called.completion_tokens, called.cost_usd) == (11, 7, 5.85e-06)
    assert streamed.stream and streamed.first_token_ms == pytest.approx(1486.29, abs=0.1)
    assert (failed.status, failed.http_status) == ("error", 500) and "Connection error" in (failed.error or "")


def test_one_odd_payload_does_not_stop_the_others(stand: Stand) -> None:
    told = send(stand, json.dumps([{}, {"model": 5, "messages": {"a": 1}, "response": []}, RECORDED[0]]))
    assert told["accepted"] >= 1
    assert stand.calls()[-1].external_id == "chatcmpl-1"


def test_pictures_and_transcriptions_are_no_calls(stand: Stand) -> None:
    told = send(stand, json.dumps([{**RECORDED[0], "call_type": "aimage_generation"}]))
    assert (told["accepted"], stand.calls()) == (0, [])

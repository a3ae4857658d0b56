"""Langfuse: the real SDK's generations and scores, and the batches that its older SDKs send."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from langfuse import Langfuse
from opentelemetry.sdk.trace import TracerProvider

from tests.contract.intakes.conftest import MODEL, Stand

MESSAGES = [{"role": "user", "content": "How cold?"}]
ANSWER = {"role": "assistant", "content": "5"}


@pytest.fixture
def langfuse(stand: Stand) -> Iterator[Langfuse]:
    provider = TracerProvider()
    made = Langfuse(
        public_key=f"pk-{stand.project.id}", secret_key=stand.secret, base_url=stand.url, tracer_provider=provider
    )
    yield made
    made.shutdown()
    provider.shutdown()


def test_the_sdk_s_generations_and_scores(stand: Stand, langfuse: Langfuse) -> None:
    from langfuse import propagate_attributes

    assert langfuse.auth_check()
    with (
        langfuse.start_as_current_observation(name="agent", as_type="agent") as root,
        propagate_attributes(user_id="u-1", session_id="s-1", tags=["beta"], metadata={"plan": "pro"}),
    ):
        made = langfuse.start_observation(
            name="answer",
            as_type="generation",
            model=MODEL,
            input=MESSAGES,
            output=ANSWER,
            usage_details={"input": 3, "output": 4},
            cost_details={"input": 0.25, "output": 0.5},
            model_parameters={"temperature": 0.5},
            metadata={"prompt_id": "p1"},
        )
        made.end()
    about: dict[str, Any] = {"trace_id": root.trace_id, "observation_id": made.id}
    langfuse.create_score(name="quality", value=0.9, comment="nice", **about)
    langfuse.create_score(name="user-feedback", value=1, data_type="BOOLEAN", **about)
    langfuse.create_score(name="tone", value="friendly", data_type="CATEGORICAL", **about)
    langfuse.create_score(name="output", value="5 degrees", data_type="CORRECTION", **about)
    langfuse.create_score(name="csat", value=4, trace_id=root.trace_id)
    langfuse.create_score(name="agent", value=2, trace_id=root.trace_id, observation_id=root.id)
    langfuse.flush()
    call = stand.call()
    assert (call.trace_id, call.span_id, call.parent_span_id) == (root.trace_id, made.id, root.id)
    assert (call.user_id, call.session_id) == ("u-1", "s-1")
    assert (call.messages, call.reply["content"], call.params) == (MESSAGES, "5", {"temperature": 0.5})
    assert (call.prompt_tokens, call.completion_tokens, call.cost_usd) == (3, 4, 0.75)
    assert {"beta": "true", "plan": "pro", "prompt_id": "p1"}.items() <= call.tags.items()
    assert stand.said(call) == {
        ("metric", "quality", 0.9, None),
        ("comment", "quality", None, "nice"),
        ("thumbs", "user-feedback", 1, None),
        ("comment", "tone", None, "friendly"),
        ("correction", "output", None, "5 degrees"),
        ("metric", "csat", 4, None),
        ("metric", "agent", 2, None),
    }
    assert (stand.call().rating, stand.call().correction) == ("up", "5 degrees")


def event(kind: str, number: int, **body: Any) -> dict[str, Any]:
    return {"id": f"e{number}", "type": kind, "timestamp": "2026-01-01T00:00:00Z", "body": body}


def ingest(stand: Stand, *events: dict[str, Any]) -> dict[str, Any]:
    answer = stand.web.post("/api/public/ingestion", json={"batch": list(events)})
    assert answer.status_code == 207, answer.text
    found: dict[str, Any] = answer.json()
    return found


GENERATION = {
    "id": "g1",
    "traceId": "t1",
    "model": MODEL,
    "input": MESSAGES,
    "startTime": "2026-01-01T00:00:00.000Z",
    "modelParameters": {"temperature": 0.5},
}
END = {
    "id": "g1",
    "traceId": "t1",
    "output": ANSWER,
    "endTime": "2026-01-01T00:00:01.500Z",
    "completionStartTime": "2026-01-01T00:00:00.500Z",
    "usage": {"promptTokens": 3, "completionTokens": 4},
}


@pytest.mark.parametrize("apart", [False, True], ids=["one-batch", "two-batches"])
def test_older_sdks_tell_a_call_in_several_events(stand: Stand, apart: bool) -> None:
    trace = event("trace-create", 1, id="t1", userId="u1", sessionId="s1", tags=["beta"], metadata={"plan": "pro"})
    began, ended = event("generation-create", 2, **GENERATION), event("generation-update", 3, **END)
    score = event("score-create", 4, id="sc1", traceId="t1", observationId="g1", name="quality", value=0.5)
    batches = [[trace, began], [ended, score]] if apart else [[trace, began, ended, score]]
    for batch in (*batches, *batches):
        told = ingest(stand, *batch)
        assert [one["status"] for one in told["successes"]] == [201] * len(batch) and told["errors"] == []
    call = stand.call()
    assert (call.source, call.external_id, call.trace_id, call.span_id) == ("langfuse", "g1", "t1", "g1")
    assert (call.user_id, call.session_id, call.latency_ms, call.first_token_ms) == ("u1", "s1", 1500, 500)
    assert (call.messages, call.reply["content"], call.prompt_tokens) == (MESSAGES, "5", 3)
    assert call.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert (call.tags, call.params) == ({"beta": "true", "plan": "pro"}, {"temperature": 0.5})
    assert stand.said(call) == {("metric", "quality", 0.5, None)}


def test_events_that_cannot_be_taken_do_not_stop_the_others(stand: Stand) -> None:
    told = ingest(
        stand,
        event("span-create", 1, id="x", traceId="t1"),
        event("score-create", 2, name="", value=1),
        event("generation-create", 3, **GENERATION, **{k: END[k] for k in ("output", "endTime")}),
        event("observation-create", 4, id="g2", type="GENERATION", level="ERROR", statusMessage="429", traceId="t1"),
    )
    assert [one["id"] for one in told["errors"]] == ["e2"] and len(told["successes"]) == 3
    done, failed = stand.calls()
    assert (done.status, failed.status, failed.error) == ("ok", "error", "429")


def test_scores_that_cannot_be_taken_are_told(stand: Stand) -> None:
    scores = [{"traceId": "t", "name": "a", "value": 1}, {"traceId": "t", "name": "b"}]
    answer = stand.web.post("/api/public/scores", json=scores)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (207, 1, 1)
    one = stand.web.post("/api/public/scores", json={"id": "s", "traceId": "t", "name": "a", "value": 1})
    assert (one.status_code, one.json()["id"]) == (200, "s")
    assert stand.web.post("/api/public/scores", json=scores[1]).status_code == 400

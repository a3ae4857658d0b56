"""Rows of every system become calls with their facts and feedback, as that system's documentation has them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from studio.capture.import_preview import preview_of
from tests.unit.capture.importers.conftest import ANSWER, USER, Importer, completion, lines

SAMPLES: dict[str, dict[str, Any]] = {
    "openai": {"messages": [USER, ANSWER]},
    "preference": {"input": {"messages": [USER]}, "preferred_output": [ANSWER], "non_preferred_output": [ANSWER]},
    "anthropic": {"system": "S", "messages": [USER, ANSWER]},
    "sharegpt": {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]},
    "alpaca": {"instruction": "Greet", "input": "", "output": "Hello"},
    "openpipe": {"input": {"model": "m", "messages": [USER]}, "output": completion(), "tags": {}},
    "helicone": {"request_id": "r", "request_body": {"messages": [USER]}, "response_body": completion()},
    "portkey": {"id": "p", "trace_id": "t", "request": {"messages": [USER]}, "response": completion(), "ai_model": "m"},
    "langfuse": {
        "id": "o",
        "traceId": "t",
        "type": "GENERATION",
        "startTime": "2026-01-01",
        "input": "Hi",
        "output": "x",
    },
    "litellm": {"id": "l", "call_type": "completion", "spend": 0.1, "messages": [USER], "response": completion()},
    "argilla": {"id": "a", "fields": {"prompt": "Hi", "response": "Hello"}, "responses": {}, "suggestions": {}},
    "columns": {"question": "What is it?", "answer": "It is that."},
}


@pytest.mark.parametrize("format", SAMPLES)
def test_rows_are_recognised_by_what_they_hold_and_not_by_the_name_of_the_file(tmp_path: Path, format: str) -> None:
    preview = preview_of(lines(tmp_path / "photo.png", SAMPLES[format]), "photo.png")
    assert (preview.format, len(preview.calls), preview.errors) == (format, 1, [])
    assert preview.label and preview.layout == "JSON lines"


def test_the_catalog_shows_a_label_and_an_example_of_every_format() -> None:
    from studio.capture.importers.catalog import examples, labels

    assert set(SAMPLES) <= set(labels()) == set(examples())
    assert all(labels().values()) and all(examples().values())


def test_openai_preferences_are_the_worse_answer_corrected_by_the_better_one(
    tmp_path: Path, run_import: Importer
) -> None:
    better, worse = {"role": "assistant", "content": "Good"}, {"role": "assistant", "content": "Bad"}
    calling = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}
    asked = {"messages": [USER], "tools": [{"type": "function", "function": {"name": "f"}}]}
    path = lines(
        tmp_path / "pairs",
        {"input": asked, "preferred_output": [better], "non_preferred_output": [worse]},
        {"input": asked, "preferred_output": [calling], "non_preferred_output": [worse]},
        {"prompt": "P", "chosen": "C", "rejected": "R"},
        {"chosen": [USER, better], "rejected": [USER, worse]},
        {"chosen": "\n\nHuman: Hi\n\nAssistant: Good", "rejected": "\n\nHuman: Hi\n\nAssistant: Bad"},
        {"prompt": "P", "chosen": "C", "rejected": ""},
    )
    result = run_import(path)
    calls = run_import.calls()
    assert (result["imported"], result["errors"], result["feedback"]) == (6, 1, 6)
    assert result["first_errors"][0]["field"] == "chosen" and "leave the row out" in result["first_errors"][0]["reason"]
    assert [(call.reply_text, call.correction, call.rating) for call in calls] == [
        ("Bad", "Good", None),
        ("f({})", None, "up"),
        ("Bad", None, "down"),
        ("R", "C", None),
        ("Bad", "Good", None),
        ("Bad", "Good", None),
    ]
    assert calls[0].tools and calls[5].messages == [USER]


def test_calls_of_the_messages_api_keep_their_endpoint_and_read_as_chat(tmp_path: Path, run_import: Importer) -> None:
    request = {"model": "claude-x", "max_tokens": 9, "system": "S", "messages": [USER]}
    content = [{"type": "text", "text": "Yes"}]
    usage = {"input_tokens": 7, "output_tokens": 2}
    reply = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "model": "claude-x",
        "content": content,
        "usage": usage,
    }
    bedrock = {
        "schemaVersion": "bedrock-conversation-2024",
        "system": [{"text": "S"}],
        "messages": [{"role": "user", "content": [{"text": "Q"}]}, {"role": "assistant", "content": [{"text": "A"}]}],
    }
    run_import(lines(tmp_path / "a", {"request": request, "response": {**reply, "stop_reason": "end_turn"}}, bedrock))
    first, second = run_import.calls()
    assert (first.endpoint, first.external_id, first.reply_text) == ("messages", "msg_1", "Yes")
    assert (first.prompt_tokens, first.completion_tokens, first.messages[0]["role"]) == (7, 2, "system")
    assert (second.reply_text, second.messages[0], second.prompt_text) == ("A", {"role": "system", "content": "S"}, "Q")


def test_sharegpt_and_alpaca_rows_are_conversations(tmp_path: Path, run_import: Importer) -> None:
    turns = [
        {"from": "system", "value": "S"},
        {"from": "human", "value": "A?"},
        {"from": "function_call", "value": '{"name": "look", "arguments": {"x": 1}}'},
        {"from": "observation", "value": "found"},
        {"from": "gpt", "value": "B"},
        {"from": "human", "value": "no answer to this"},
    ]
    run_import(lines(tmp_path / "s", {"conversations": turns}))
    run_import(lines(tmp_path / "a", {"instruction": "Do", "input": "this", "output": "Done", "history": [["q", "a"]]}))
    first, second = run_import.calls()
    assert [message["role"] for message in first.messages] == ["system", "user", "assistant", "tool"]
    assert first.reply_text == "B" and first.messages[2]["tool_calls"][0]["function"]["arguments"] == '{"x": 1}'
    assert second.prompt_text == "Do\n\nthis" and len(second.messages) == 3
    refused = run_import(lines(tmp_path / "r", {"conversations": [{"from": "alien", "value": "?"}]}, *[turns_of()] * 1))
    assert "alien" in refused["first_errors"][0]["reason"] and refused["imported"] == 1


def turns_of() -> dict[str, Any]:
    return {"conversations": [{"from": "human", "value": "X"}, {"from": "gpt", "value": "Y"}]}


def test_openpipe_logs_reports_and_datasets(tmp_path: Path, run_import: Importer) -> None:
    log = {
        "input": {"model": "m", "messages": [USER], "temperature": 0},
        "output": completion(),
        "tags": {"prompt_id": "p"},
    }
    report = {
        "requestedAt": 1_700_000_000_000,
        "receivedAt": 1_700_000_000_250,
        "reqPayload": {"model": "m", "messages": [USER]},
        "respPayload": completion(id="c2"),
        "statusCode": 200,
        "tags": {"n": 1},
    }
    failed = {
        "requestedAt": 1_700_000_000_000,
        "reqPayload": {"messages": [USER]},
        "statusCode": 429,
        "errorMessage": "slow",
    }
    example = {
        "messages": [USER, {"role": "assistant", "content": "Good"}],
        "split": "TEST",
        "functions": [{"name": "f"}],
    }
    rejected = {**example, "split": "TRAIN", "rejected_message": {"role": "assistant", "content": "Bad"}}
    result = run_import(lines(tmp_path / "o", log, report, failed, example, rejected))
    one, two, three, four, five = run_import.calls()
    assert result["errors"] == 0 and one.tags == {"prompt_id": "p"} and one.params == {"temperature": 0}
    assert one.external_id == "c1" and one.created_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (two.latency_ms, two.tags, two.http_status) == (250, {"n": "1"}, 200)
    assert (three.status, three.error, three.http_status) == ("error", "slow", 429)
    assert four.tags == {"split": "test"} and four.tools == [{"type": "function", "function": {"name": "f"}}]
    assert (five.reply_text, five.correction, five.tags["split"]) == ("Bad", "Good", "train")


def test_helicone_rows_bring_rating_properties_scores_and_cost(tmp_path: Path, run_import: Importer) -> None:
    row = {
        "request_id": "h1",
        "request_created_at": "2026-03-01T10:00:00.000Z",
        "request_body": {"model": "gpt-4o", "messages": [USER]},
        "response_body": completion(),
        "response_status": 200,
        "request_model": "gpt-4o",
        "delay_ms": 321,
        "time_to_first_token": 99,
        "prompt_tokens": 11,
        "completion_tokens": 3,
        "costUSD": 0.0042,
        "request_user_id": "u-1",
        "properties": {"Plan": "pro", "Helicone-Session-Id": "s-1"},
        "scores": {"helicone-score-quality": 7, "safe": True},
        "feedback_rating": False,
    }
    texts = {**row, "request_id": "h2", "request_body": json.dumps(row["request_body"]), "feedback_rating": None}
    texts |= {"response_body": json.dumps(row["response_body"]), "scores": "{}", "properties": "{}"}
    behind = {"request_id": "h3", "delay_ms": 1, "signed_body_url": "https://s3.example/x?sig=1"}
    result = run_import(lines(tmp_path / "h", row, texts, behind))
    first, second = run_import.calls()
    assert (first.external_id, first.latency_ms, first.first_token_ms, first.cost_usd) == ("h1", 321, 99, 0.0042)
    assert (first.prompt_tokens, first.completion_tokens, first.user_id, first.session_id) == (11, 3, "u-1", "s-1")
    assert (first.rating, first.tags["Plan"], second.rating, second.reply_text) == ("down", "pro", None, "Hello")
    assert [(one.kind, one.name, one.value) for one in run_import.feedback()] == [
        ("metric", "quality", 7),
        ("metric", "safe", 1),
        ("thumbs", "", 0),
    ]
    (error,) = result["first_errors"]
    assert (error["line"], error["field"]) == (3, "signed_body_url") and "--include-body" in error["reason"]


def test_portkey_costs_are_cents_and_feedback_finds_its_call_by_trace(tmp_path: Path, run_import: Importer) -> None:
    row = {
        "id": "p1",
        "trace_id": "t1",
        "created_at": "2026-03-01T10:00:00Z",
        "request": json.dumps({"model": "gpt-4o", "messages": [USER]}),
        "response": {"body": completion()},
        "ai_org": "openai",
        "ai_model": "gpt-4o-2024",
        "req_units": 10,
        "res_units": 4,
        "cost": 1.5,
        "response_time": 812,
        "response_status_code": 200,
        "prompt_slug": "triage",
        "metadata": {"_user": "u-9", "plan": "pro"},
    }
    no_body = {**row, "id": "p2", "request": None}
    feedback = [
        {"id": "f1", "trace_id": "t1", "value": 7, "weight": 1, "metadata": {"text": "great", "_user": "u-9"}},
        {"id": "f2", "trace_id": "lost", "value": -3},
        {"id": "f3", "trace_id": "t1", "value": "many"},
    ]
    early = run_import(lines(tmp_path / "early", feedback[0], row))
    result = run_import(lines(tmp_path / "logs", row, no_body))
    given = run_import(lines(tmp_path / "feedback", *feedback))
    (call,) = run_import.calls()
    assert (call.cost_usd, call.latency_ms, call.trace_id, call.user_id) == (0.015, 812, "t1", "u-9")
    assert (call.served_model, call.tags, call.rating) == (
        "gpt-4o-mini",
        {"plan": "pro", "prompt_slug": "triage"},
        "up",
    )
    assert (early["imported"], early["feedback"], result["duplicates"], result["errors"]) == (1, 3, 1, 1)
    assert (given["feedback"], given["feedback_known"], given["errors"]) == (0, 3, 3)
    told = {(error["line"], error["field"]): error["reason"] for error in given["first_errors"]}
    assert "not a number" in told[(3, "value")] and "Import the calls first" in told[(2, "trace_id")]
    assert {(one.kind, one.value, one.text) for one in run_import.feedback()} == {
        ("metric", 7.0, None),
        ("thumbs", 1.0, None),
        ("comment", None, "great"),
    }


def observation(**more: Any) -> dict[str, Any]:
    return {
        "id": "o1",
        "traceId": "t1",
        "type": "GENERATION",
        "name": "triage",
        "startTime": "2026-03-01T10:00:00.000Z",
        "endTime": "2026-03-01T10:00:01.500Z",
        "completionStartTime": "2026-03-01T10:00:00.400Z",
        "model": "gpt-4o",
        "modelParameters": {"temperature": 0.2},
        "input": [USER],
        "output": ANSWER,
        "usageDetails": {"input": 12, "output": 5, "total": 17},
        "costDetails": {"total": 0.003},
        "metadata": {"plan": "pro"},
        "parentObservationId": "o0",
        **more,
    }


def test_langfuse_observations_and_scores_with_the_corrected_output(tmp_path: Path, run_import: Importer) -> None:
    span = {**observation(), "id": "s1", "type": "SPAN"}
    failed = observation(id="o2", traceId="t2", level="ERROR", statusMessage="boom", output=None)
    common = {"traceId": "t1", "observationId": "o1", "source": "ANNOTATION"}
    scores = [
        {**common, "id": "x1", "name": "output", "dataType": "CORRECTION", "stringValue": "Better"},
        {**common, "id": "x2", "name": "quality", "dataType": "NUMERIC", "value": 0.8, "comment": "nearly"},
        {**common, "id": "x3", "name": "user-feedback", "dataType": "BOOLEAN", "value": 1},
        {**common, "id": "x4", "name": "tone", "dataType": "CATEGORICAL", "value": 0, "stringValue": "rude"},
        {"id": "x5", "traceId": "t2", "name": "late", "dataType": "NUMERIC", "value": 3, "source": "API"},
    ]
    (tmp_path / "obs.json").write_text(json.dumps({"data": [observation(), span, failed], "meta": {"page": 1}}))
    result = run_import(tmp_path / "obs.json")
    given = run_import(lines(tmp_path / "scores.jsonl", *scores))
    first, second = run_import.calls()
    assert (result["imported"], result["skipped"], result["why_skipped"]) == (2, 1, {"A span is no call.": 1})
    assert (first.external_id, first.trace_id, first.parent_span_id) == ("o1", "t1", "o0")
    assert (first.latency_ms, first.first_token_ms, first.cost_usd) == (1500, 400, 0.003)
    assert (first.prompt_tokens, first.completion_tokens, first.params) == (12, 5, {"temperature": 0.2})
    assert (first.correction, first.rating, first.tags) == ("Better", "up", {"name": "triage", "plan": "pro"})
    assert (second.status, second.error, given["errors"]) == ("error", "boom", 0)
    said = [(one.kind, one.name, one.value, one.text) for one in run_import.feedback() if one.log_entry_id == first.id]
    assert ("comment", "quality", None, "nearly") in said and ("comment", "tone", None, "rude") in said
    again = run_import(lines(tmp_path / "scores2.jsonl", *scores))
    assert (again["feedback"], again["feedback_known"], len(run_import.feedback())) == (0, 6, 6)


def test_langfuse_csv_and_traces_of_its_api_read_alike(tmp_path: Path, run_import: Importer) -> None:
    cells = {
        name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in observation().items()
    }
    quoted = ",".join('"' + str(cell).replace('"', '""') + '"' for cell in cells.values())
    (tmp_path / "export.csv").write_text(",".join(cells) + "\n" + quoted + "\n")
    assert preview_of(tmp_path / "export.csv", "export.csv").format == "langfuse"
    run_import(tmp_path / "export.csv")
    trace = {
        "id": "t7",
        "timestamp": "2026-03-01T10:00:00Z",
        "userId": "u7",
        "sessionId": "s7",
        "tags": ["beta"],
        "observations": [observation(id="o7", traceId="t7"), observation(id="o8", type="EVENT")],
        "scores": [{"id": "y1", "observationId": "o7", "name": "quality", "value": 1, "dataType": "NUMERIC"}],
    }
    run_import(lines(tmp_path / "traces", trace))
    first, second = run_import.calls()
    assert (first.reply_text, first.latency_ms, first.prompt_tokens) == ("Hello", 1500, 12)
    assert (second.user_id, second.session_id, second.tags["beta"], second.external_id) == ("u7", "s7", "true", "o7")
    assert [one.name for one in run_import.feedback()] == ["quality"]


def test_litellm_payloads_and_spend_logs(tmp_path: Path, run_import: Importer) -> None:
    payload = {
        "id": "l1",
        "trace_id": "tr",
        "call_type": "acompletion",
        "stream": True,
        "response_cost": 0.002,
        "status": "success",
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "startTime": 1_700_000_000.0,
        "endTime": 1_700_000_001.25,
        "completionStartTime": 1_700_000_000.5,
        "model": "azure/gpt-4o",
        "model_group": "gpt-4o",
        "end_user": "u",
        "request_tags": ["beta"],
        "metadata": {"user_api_key_hash": "h", "requester_metadata": {"plan": "pro"}},
        "model_parameters": {"temperature": 1},
        "messages": [USER],
        "response": completion(),
    }
    spend = {
        "request_id": "l2",
        "call_type": "completion",
        "spend": 0.1,
        "startTime": "2026-03-01 10:00:00.000",
        "endTime": "2026-03-01 10:00:02.000",
        "model": "m",
        "messages": json.dumps([USER]),
        "response": json.dumps(completion()),
    }
    unstored = {**spend, "request_id": "l3", "messages": {}, "response": {}}
    embedding = {**spend, "request_id": "l4", "call_type": "aembedding"}
    failure = {**payload, "id": "l5", "status": "failure", "error_str": "overloaded", "response": None}
    result = run_import(lines(tmp_path / "l", payload, spend, unstored, embedding, failure))
    one, two, three = run_import.calls()
    assert (one.model, one.latency_ms, one.first_token_ms, one.cost_usd) == ("gpt-4o", 1250, 500, 0.002)
    assert (one.tags, one.user_id, one.trace_id, one.stream) == ({"beta": "true", "plan": "pro"}, "u", "tr", True)
    assert (two.latency_ms, two.cost_usd, two.reply_text, three.error) == (2000, 0.1, "Hello", "overloaded")
    assert result["skipped"] == 1 and "store_prompts_in_spend_logs" in result["first_errors"][0]["reason"]


def test_outputs_of_batches_find_their_requests_in_the_same_archive(tmp_path: Path, run_import: Importer) -> None:
    from zipfile import ZipFile

    asked = [batch_input(n) for n in range(3)]
    answered = [batch_output(n) for n in (2, 0, 1, 9)]
    alone = run_import_fails(run_import, lines(tmp_path / "out.jsonl", *answered))
    assert "one zip archive" in alone
    with ZipFile(tmp_path / "batch.zip", "w") as archive:
        archive.writestr("output.jsonl", "\n".join(map(json.dumps, answered)))
        archive.writestr("input.jsonl", "\n".join(map(json.dumps, asked)))
    result = run_import(tmp_path / "batch.zip")
    assert (result["imported"], result["errors"]) == (3, 1) and "'r9'" in result["first_errors"][0]["reason"]
    assert [(call.prompt_text, call.reply_text) for call in run_import.calls()] == [
        ("Q2", "A2"),
        ("Q0", "A0"),
        ("Q1", "A1"),
    ]


def test_anthropic_batches_too(tmp_path: Path, run_import: Importer) -> None:
    from zipfile import ZipFile

    message = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Yes"}], "model": "claude"}
    results = [
        {"custom_id": "a", "result": {"type": "succeeded", "message": message}},
        {"custom_id": "b", "result": {"type": "errored", "error": {"type": "error", "error": {"message": "no"}}}},
    ]
    params = {"model": "claude", "max_tokens": 5, "messages": [USER]}
    with ZipFile(tmp_path / "batch.zip", "w") as archive:
        archive.writestr("requests.jsonl", "\n".join(json.dumps({"custom_id": n, "params": params}) for n in "ab"))
        archive.writestr("results.jsonl", "\n".join(map(json.dumps, results)))
    run_import(tmp_path / "batch.zip")
    one, two = run_import.calls()
    assert (one.reply_text, one.endpoint, two.status, two.error) == ("Yes", "messages", "error", "no")


def run_import_fails(run_import: Importer, path: Path) -> str:
    from studio.errors import InvalidInput

    with pytest.raises(InvalidInput) as error:
        run_import(path)
    return error.value.message


def batch_input(n: int) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": f"Q{n}"}]}
    return {"custom_id": f"r{n}", "method": "POST", "url": "/v1/chat/completions", "body": body}


def batch_output(n: int) -> dict[str, Any]:
    response = {"status_code": 200, "request_id": "x", "body": completion(f"A{n}", id=f"c{n}")}
    return {"id": f"b{n}", "custom_id": f"r{n}", "error": None, "response": response}

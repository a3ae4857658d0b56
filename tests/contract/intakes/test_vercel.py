"""Spans of Vercel's AI SDK: the inner one is the call, the one around says whose it is, nothing is told twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.intakes.conftest import MODEL, Stand
from tests.contract.intakes.test_otlp import ROOT, SPAN, attributes, export, post, span

PROMPT = [
    {"role": "system", "content": "be brief"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "How cold?"},
            {"type": "file", "mediaType": "image/png", "data": "AAAA"},
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"type": "reasoning", "text": "hm"},
            {"type": "tool-call", "toolCallId": "c1", "toolName": "weather", "input": {"city": "Bern"}},
        ],
    },
    {
        "role": "tool",
        "content": [
            {
                "type": "tool-result",
                "toolCallId": "c1",
                "toolName": "weather",
                "output": {"type": "json", "value": {"celsius": 5}},
            }
        ],
    },
]
ABOUT = {
    "ai.model.id": MODEL,
    "ai.model.provider": "openai.chat",
    "ai.settings.maxRetries": 2,
    "ai.telemetry.functionId": "forecast",
    "ai.telemetry.metadata.userId": "user-1",
    "ai.telemetry.metadata.sessionId": "session-1",
    "ai.telemetry.metadata.team": "sky",
}
OUTER = {
    **ABOUT,
    "operation.name": "ai.streamText forecast",
    "ai.operationId": "ai.streamText",
    "ai.prompt": json.dumps({"prompt": "How cold?"}),
    "ai.response.text": "5 degrees",
    "ai.usage.promptTokens": 11,
    "ai.usage.completionTokens": 7,
    "gen_ai.system": "openai",
    "gen_ai.request.model": MODEL,
}
INNER = {
    **ABOUT,
    "ai.operationId": "ai.streamText.doStream",
    "ai.prompt.messages": json.dumps(PROMPT),
    "ai.prompt.tools": [
        json.dumps({"type": "function", "name": "weather", "description": "d", "inputSchema": {"type": "object"}})
    ],
    "ai.prompt.toolChoice": json.dumps({"type": "auto"}),
    "ai.response.text": "5 degrees",
    "ai.response.finishReason": "stop",
    "ai.response.id": "chatcmpl-7",
    "ai.response.model": f"{MODEL}-2026",
    "ai.response.msToFirstChunk": 250.5,
    "ai.settings.maxOutputTokens": 300,
    "gen_ai.system": "openai.chat",
    "gen_ai.request.model": MODEL,
    "gen_ai.request.temperature": 0.2,
}
USAGE = [
    {"ai.usage.promptTokens": 11, "ai.usage.completionTokens": 7},
    {"ai.usage.inputTokens": 11, "ai.usage.outputTokens": 7},
    {"gen_ai.usage.input_tokens": 11, "gen_ai.usage.output_tokens": 7},
]


@pytest.mark.parametrize("usage", USAGE, ids=["v4", "v5", "gen_ai"])
@pytest.mark.parametrize("together", [True, False], ids=["one-export", "two-exports"])
def test_the_inner_span_is_the_call_and_the_outer_one_is_none(
    stand: Stand, usage: dict[str, int], together: bool
) -> None:
    inner, outer = span({**INNER, **usage}, parentSpanId=ROOT), span(OUTER, spanId=ROOT)
    for body in [export(inner, outer)] if together else [export(inner), export(outer)]:
        assert post(stand, body).json() == {}
    call = stand.call()
    assert (call.span_id, call.model, call.served_model) == (SPAN, MODEL, f"{MODEL}-2026")
    assert (call.prompt_tokens, call.completion_tokens, call.external_id) == (11, 7, "chatcmpl-7")
    assert (call.user_id, call.session_id) == ("user-1", "session-1")
    assert call.tags["function"] == "forecast" and call.tags["team"] == "sky"
    assert call.tags["provider"] == "openai.chat"
    assert (call.reply["content"], call.finish_reason, call.stream, call.first_token_ms) == (
        *("5 degrees", "stop", True),
        250.5,
    )
    assert (call.params["temperature"], call.params["max_tokens"], call.params["tool_choice"]) == (0.2, 300, "auto")
    assert call.tools == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "d", "parameters": {"type": "object"}},
        }
    ]
    system, user, assistant, result = call.messages
    assert system["content"] == "be brief" and user["content"][0] == {"type": "text", "text": "How cold?"}
    assert user["content"][1]["image_url"]["url"] == "data:image/png;base64,AAAA"
    assert assistant["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Bern"}'}
    assert (assistant["reasoning_content"], assistant["content"]) == ("hm", None)
    assert (result["tool_call_id"], result["content"]) == ("c1", '{"celsius":5}')


def test_tool_calls_objects_and_earlier_names_are_read(stand: Stand) -> None:
    prompt = [
        {"role": "user", "content": [{"type": "text", "text": "How cold?"}]},
        {"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c0", "result": "5C"}]},
    ]
    call = {"toolCallType": "function", "toolCallId": "c1", "toolName": "weather", "args": '{"city":"Bern"}'}
    asked = {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.id": MODEL,
        "ai.prompt.messages": json.dumps(prompt),
        "ai.response.toolCalls": json.dumps([call]),
        "ai.response.finishReason": "tool-calls",
    }
    made = {
        **asked,
        "ai.operationId": "ai.generateObject.doGenerate",
        "ai.response.toolCalls": "",
        "ai.response.object": '{"celsius":5}',
        "ai.response.finishReason": "stop",
    }
    post(stand, export(span(asked), span(made, spanId="1" * 16)))
    called, object_made = stand.calls()
    assert called.reply["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Bern"}'}
    assert (called.finish_reason, called.messages[1]["content"]) == ("tool_calls", "5C")
    assert object_made.reply["content"] == '{"celsius":5}'


@pytest.mark.parametrize("operation", ["ai.embed.doEmbed", "ai.embedMany.doEmbed"])
def test_embeddings_are_calls_of_their_endpoint(stand: Stand, operation: str) -> None:
    told = {"ai.operationId": operation, "ai.model.id": "embed", "ai.values": ['"hello"'], "ai.usage.tokens": 3}
    outer = {"ai.operationId": operation.rpartition(".")[0], "ai.value": '"hello"', "ai.model.id": "embed"}
    post(stand, export(span(outer, spanId=ROOT), span(told, parentSpanId=ROOT)))
    call = stand.call()
    assert (call.endpoint, call.model, call.prompt_tokens) == ("embeddings", "embed", 3)
    assert call.prompt_text == "hello"


def test_a_failed_call_says_why(stand: Stand) -> None:
    thrown = {"name": "exception", "attributes": attributes({"exception.message": "Overloaded"})}
    post(stand, export(span({**INNER}, events=[thrown], status={"code": 2})))
    assert (stand.call().status, stand.call().error) == ("error", "Overloaded")


def test_a_span_with_messages_of_the_current_convention_is_read_by_it(stand: Stand) -> None:
    told: dict[str, Any] = {name: value for name, value in INNER.items() if not name.startswith("ai.prompt")}
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "How cold?"}]}])
    post(stand, export(span({**told, "gen_ai.input.messages": said})))
    assert stand.call().messages[0]["content"] == "How cold?"

"""What providers send, in the shape they send it: whole bodies and streams of events of every endpoint."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

SAID = 'Café "model": 東京 😀\n\ndata: [DONE] is not the end.'
"""A text that holds what frames are made of."""
PIECES = ("Café ", '"model": ', "東京 😀\n", "\ndata: [DONE]", " is not the end.")
ARGUMENTS = '{"city": "東京", "model": "x"}'
VECTOR = [0.25, -1.0, 3.5]
CHAT_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 9,
    "total_tokens": 129,
    "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
RESPONSE_USAGE = {
    "input_tokens": 120,
    "input_tokens_details": {"cached_tokens": 100},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 129,
}
MESSAGE_USAGE = {
    "input_tokens": 15,
    "cache_creation_input_tokens": 5,
    "cache_read_input_tokens": 100,
    "output_tokens": 9,
    "service_tier": "standard",
}


def data(*events: Any, done: bool = False) -> bytes:
    """Events as OpenAI's chat completions frame them."""
    lines = [f"data: {_json(event)}\n\n" for event in events] + (["data: [DONE]\n\n"] if done else [])
    return "".join(lines).encode()


def named(*events: dict[str, Any]) -> bytes:
    """Events as responses and Anthropic's messages frame them."""
    return "".join(f"event: {event['type']}\ndata: {_json(event)}\n\n" for event in events).encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def logprobs(token: str) -> dict[str, Any]:
    told = {"token": token, "logprob": -0.25, "bytes": list(token.encode()), "top_logprobs": []}
    return {"content": [told], "refusal": None}


# OpenAI's chat completions


def chat(model: str, n: int = 1, tools: bool = False, probabilities: bool = False) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": SAID, "refusal": None, "annotations": []}
    if tools:
        call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    told = logprobs("Café") if probabilities else None
    finish = "tool_calls" if tools else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1763900000,
        "model": model,
        "choices": [
            {
                "index": index,
                "message": {**message, "content": f"{message['content']} {index}"} if index else message,
                "logprobs": told,
                "finish_reason": finish,
            }
            for index in range(n)
        ],
        "usage": CHAT_USAGE,
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }


def chat_stream(model: str, n: int = 1, tools: bool = False, probabilities: bool = False, usage: bool = True) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763900000, "model": model}
    head["obfuscation"] = "x9"

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish, **more}
        return {**head, "choices": [choice], "usage": None}

    def tool(**function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": 0, "function": function}]}

    chunks = []
    for index in range(n):
        chunks.append(chunk(index, {"role": "assistant", "content": None if tools else "", "refusal": None}))
        if tools:
            begun = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
            chunks.append(chunk(index, {"tool_calls": [begun]}))
            chunks += [chunk(index, tool(arguments=ARGUMENTS[at : at + 5])) for at in range(0, len(ARGUMENTS), 5)]
        for piece in () if tools else (*PIECES, f" {index}") if index else PIECES:
            more = {"logprobs": logprobs(piece)} if probabilities else {}
            chunks.append(chunk(index, {"content": piece}, **more))
        chunks.append(chunk(index, {}, "tool_calls" if tools else "stop"))
    return data(*chunks, *([{**head, "choices": [], "usage": CHAT_USAGE}] if usage else []), done=True)


# OpenAI's completions and embeddings


def completion(model: str, n: int = 1) -> dict[str, Any]:
    choices = [{"text": SAID, "index": index, "logprobs": None, "finish_reason": "length"} for index in range(n)]
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1763900000, "model": model}
    return {**head, "choices": choices, "usage": CHAT_USAGE}


def completion_stream(model: str) -> bytes:
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1763900000, "model": model}
    chunks = [
        {**head, "choices": [{"text": piece, "index": 0, "logprobs": None, "finish_reason": None}]} for piece in PIECES
    ]
    last = {**head, "choices": [{"text": "", "index": 0, "logprobs": None, "finish_reason": "length"}]}
    return data(*chunks, last, {**head, "choices": [], "usage": CHAT_USAGE}, done=True)


def embeddings(model: str, count: int = 1, as_base64: bool = False) -> dict[str, Any]:
    packed = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    vectors = [
        {"object": "embedding", "index": index, "embedding": packed if as_base64 else VECTOR} for index in range(count)
    ]
    return {"object": "list", "data": vectors, "model": model, "usage": {"prompt_tokens": 8, "total_tokens": 8}}


# OpenAI's responses

TEXT_PART = {"type": "output_text", "text": SAID, "annotations": [], "logprobs": []}
TEXT_ITEM = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [TEXT_PART]}
CALL_ITEM = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "weather",
    "arguments": ARGUMENTS,
}
THOUGHT_ITEM = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Think of Tokyo."}]}


def response(model: str, tools: bool = False, **facts: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1763900000,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": model,
        "output": [THOUGHT_ITEM, CALL_ITEM if tools else TEXT_ITEM],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [{"type": "function", "name": "weather", "parameters": {"properties": {"model": {"type": "string"}}}}],
        "top_p": 1.0,
        "usage": RESPONSE_USAGE,
        "user": None,
        "metadata": {"model": "a tag"},
        **facts,
    }


def response_events(model: str, tools: bool = False) -> list[dict[str, Any]]:
    begun = response(model, tools, status="in_progress", output=[], usage=None)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**THOUGHT_ITEM, "summary": []}},
        {
            "type": "response.reasoning_summary_text.delta",
            "item_id": "rs_1",
            "output_index": 0,
            "summary_index": 0,
            "delta": "Think of Tokyo.",
        },
        {"type": "response.output_item.done", "output_index": 0, "item": THOUGHT_ITEM},
        *(_called() if tools else _written()),
        {"type": "response.completed", "response": response(model, tools)},
    ]
    return [{"type": event["type"], "sequence_number": number, **event} for number, event in enumerate(events)]


def _called() -> list[dict[str, Any]]:
    where = {"item_id": "fc_1", "output_index": 1}
    item = {**CALL_ITEM, "arguments": "", "status": "in_progress"}
    deltas = [
        {"type": "response.function_call_arguments.delta", **where, "delta": ARGUMENTS[at : at + 5]}
        for at in range(0, len(ARGUMENTS), 5)
    ]
    done = {"type": "response.function_call_arguments.done", **where, "arguments": ARGUMENTS, "name": "weather"}
    added = {"type": "response.output_item.added", "output_index": 1, "item": item}
    return [added, *deltas, done, {"type": "response.output_item.done", "output_index": 1, "item": CALL_ITEM}]


def _written() -> list[dict[str, Any]]:
    where = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    empty = {**TEXT_ITEM, "status": "in_progress", "content": []}
    deltas = [{"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []} for piece in PIECES]
    return [
        {"type": "response.output_item.added", "output_index": 1, "item": empty},
        {"type": "response.content_part.added", **where, "part": {**TEXT_PART, "text": ""}},
        *deltas,
        {"type": "response.output_text.done", **where, "text": SAID, "logprobs": []},
        {"type": "response.content_part.done", **where, "part": TEXT_PART},
        {"type": "response.output_item.done", "output_index": 1, "item": TEXT_ITEM},
    ]


# Anthropic's messages

THINKING = {"type": "thinking", "thinking": "Think of Tokyo.", "signature": "c2ln"}
TEXT = {"type": "text", "text": SAID}
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": json.loads(ARGUMENTS)}


def message(model: str, tools: bool = False) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [THINKING, TEXT, *([TOOL_USE] if tools else [])],
        "model": model,
        "stop_reason": "tool_use" if tools else "end_turn",
        "stop_sequence": None,
        "usage": MESSAGE_USAGE,
    }


def message_events(model: str, tools: bool = False) -> list[dict[str, Any]]:
    begun = {**message(model), "content": [], "stop_reason": None, "usage": {**MESSAGE_USAGE, "output_tokens": 1}}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    events += _block(0, {**THINKING, "thinking": "", "signature": ""}, _deltas("thinking_delta", "thinking", THINKING))
    events[-1:-1] = [_grown(0, {"type": "signature_delta", "signature": "c2ln"})]
    events.append({"type": "ping"})
    events += _block(1, {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in PIECES])
    if tools:
        pieces = ["", *(ARGUMENTS[at : at + 5] for at in range(0, len(ARGUMENTS), 5))]
        events += _block(
            2, {**TOOL_USE, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        )
    stopped = {"stop_reason": "tool_use" if tools else "end_turn", "stop_sequence": None}
    return [
        *events,
        {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]


def _deltas(kind: str, name: str, block: dict[str, str]) -> list[dict[str, str]]:
    return [{"type": kind, name: piece} for piece in (block[name][:5], block[name][5:])]


def _grown(index: int, delta: dict[str, str]) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _block(index: int, empty: dict[str, Any], deltas: list[dict[str, str]]) -> list[dict[str, Any]]:
    begun = {"type": "content_block_start", "index": index, "content_block": empty}
    return [begun, *(_grown(index, delta) for delta in deltas), {"type": "content_block_stop", "index": index}]

"""A model server with moods: a real HTTP server whose model name says how it behaves.

ok, stream (by the request), tools (when tools are sent), slow, busy (429), broken (500), unwell (503), refuses (401),
failed (TGI's 424), cut (closes in the middle), silent (stops in the middle of a stream), drip (a slow stream),
odd (a body that is not JSON), dated (answers under another model name), picky (TGI's 422: the prompt is too long),
polite (says 200, then the error as the first event of the stream), mute (says 200, and never anything more).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

MODELS = ["ok", "slow", "busy", "broken", "unwell", "refuses", "failed", "cut", "silent", "drip", "odd", "dated"]
MODELS += ["picky", "polite", "mute"]
ERRORS = {"busy": 429, "broken": 500, "unwell": 503, "refuses": 401, "failed": 424, "picky": 422}
TOO_LONG = "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048."
PIECES = ("The ", "café ", "is 東京 ", '"model": ', '"x"', ".")
ANSWER = "".join(PIECES)


class FakeUpstream:
    """Keeps the requests it got, for tests to look at."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.closed_early = 0
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        asked = json.loads(body + message.get("body", b""))
        self.requests.append(asked)
        self.headers.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await self._answer(asked, asked["model"].removeprefix("up-"), send, receive)

    async def _answer(self, asked: dict[str, Any], mood: str, send: Any, receive: Any) -> None:
        if mood in ERRORS:
            await self._error(mood, send)
        elif mood == "odd":
            await _send(send, 200, b"<html>busy</html>", b"text/html")
        elif asked.get("stream"):
            await self._stream(asked, mood, send, receive)
        else:
            await asyncio.sleep(5 if mood == "slow" else 0)
            whole = json.dumps(self._completion(asked, mood)).encode()
            await (_cut(send, whole) if mood == "cut" else _send(send, 200, whole))

    async def _error(self, mood: str, send: Any) -> None:
        told: dict[str, Any] = {"error": {"message": f"{mood}: sk-upstreamsecret0123456789abcdef", "type": "server"}}
        if mood == "failed":
            told = {"error": "Request failed during generation", "error_type": "generation"}
        if mood == "picky":
            told = {"error": TOO_LONG, "error_type": "validation"}
        await _send(send, ERRORS[mood], json.dumps(told).encode(), extra=[(b"retry-after", b"7")])

    def _head(self, mood: str) -> dict[str, Any]:
        name = "ok-2026-01-01" if mood == "dated" else f"up-{mood}"
        return {"id": f"chatcmpl-{next(self._numbers)}-{time.time_ns()}", "created": 1, "model": name}

    def _completion(self, asked: dict[str, Any], mood: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": ANSWER}
        finish = "stop"
        if asked.get("tools"):
            call = {"name": asked["tools"][0]["function"]["name"], "arguments": '{"city": "Paris"}'}
            message = {"role": "assistant", "content": None, "tool_calls": [_tool(call)]}
            finish = "tool_calls"
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return {**self._head(mood), "object": "chat.completion", "choices": [choice], "usage": usage}

    async def _stream(self, asked: dict[str, Any], mood: str, send: Any, receive: Any) -> None:
        kind = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        head = {**self._head(mood), "object": "chat.completion.chunk"}
        if mood == "mute":
            await _until_left(receive)
            return
        if mood == "polite":
            await _event(send, {"error": {"message": TOO_LONG, "http_status_code": 422}})
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
            return
        for number, delta in enumerate(_deltas(asked)):
            if mood in ("cut", "silent") and number == 3:
                await asyncio.sleep(60 if mood == "silent" else 0)
                raise ConnectionAbortedError("cut on purpose")
            if mood == "drip":
                await asyncio.sleep(0.05)
            choice = {"index": 0, "delta": delta, "finish_reason": None}
            await _event(send, {**head, "choices": [choice]})
        finish = "tool_calls" if asked.get("tools") else "stop"
        await _event(send, {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _until_left(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _deltas(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if asked.get("tools"):
        yield {"role": "assistant", "tool_calls": [{"index": 0, **_tool({"name": "weather", "arguments": ""})}]}
        for piece in ('{"city"', ': "Paris"}'):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
        return
    yield {"role": "assistant", "content": ""}
    for piece in PIECES:
        yield {"content": piece}


def _tool(function: dict[str, str]) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": function}


async def _event(send: Any, chunk: dict[str, Any]) -> None:
    body = f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _send(send: Any, status: int, body: bytes, kind: bytes = b"application/json", extra: Any = ()) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _cut(send: Any, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body[:40], "more_body": True})
    raise ConnectionAbortedError("cut on purpose")


@contextmanager
def serve(port: int) -> Iterator[FakeUpstream]:
    """The server in a thread."""
    fake = FakeUpstream()
    config = uvicorn.Config(fake, host="127.0.0.1", port=port, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield fake
    finally:
        server.should_exit = server.force_exit = True
        thread.join(5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(FakeUpstream(), host="127.0.0.1", port=parser.parse_args().port, log_level="critical", lifespan="off")

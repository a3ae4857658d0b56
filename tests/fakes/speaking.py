"""An upstream that speaks every endpoint's format, OpenAI's and Anthropic's, and remembers what it was sent.

A model named `busy` answers 529 as Anthropic does, `late-error` tells an error as a stream's first event, and `cut`
stops a stream in the middle.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

from tests.fakes import wire_samples as samples

OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}


@dataclass
class Got:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


class SpeakingUpstream:
    """Answers each path with the sample of its format, under a dated name."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.sent = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        raw = b""
        while (message := await receive()).get("more_body"):
            raw += message["body"]
        raw += message.get("body", b"")
        path = scope["raw_path"].decode() + (f"?{scope['query_string'].decode()}" if scope["query_string"] else "")
        self.got.append(Got(path, {name.decode(): value.decode() for name, value in scope["headers"]}, raw))
        await self._answer(path, json.loads(raw), send)

    async def _answer(self, path: str, asked: dict[str, Any], send: Any) -> None:
        name = asked["model"]
        if "busy" in name:
            await _whole(send, 529, json.dumps(OVERLOADED).encode())
        elif "late-error" in name:
            await _stream(send, samples.named(OVERLOADED))
        elif asked.get("stream"):
            self.sent = stream_for(path, asked)
            await _stream(send, self.sent, cut="cut" in name)
        else:
            self.sent = json.dumps(whole_for(path, asked), ensure_ascii=False).encode()
            await _whole(send, 200, self.sent)


def dated(name: str) -> str:
    """The name that answers under another than was asked."""
    return f"{name}-2026-01-01"


def whole_for(path: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The body that answers this request."""
    model, tools, n = dated(asked["model"]), bool(asked.get("tools")), asked.get("n", 1)
    if path.startswith("/v1/messages/count_tokens"):
        return {"input_tokens": 15}
    if path.startswith("/v1/messages"):
        return samples.message(model, tools)
    if path == "/v1/responses":
        return samples.response(model, tools)
    if path == "/v1/embeddings":
        count = len(asked["input"]) if isinstance(asked["input"], list) else 1
        return samples.embeddings(model, count, asked.get("encoding_format") == "base64")
    if path == "/v1/completions":
        return samples.completion(model, n)
    return samples.chat(model, n, tools, bool(asked.get("logprobs")))


def stream_for(path: str, asked: dict[str, Any]) -> bytes:
    """The stream that answers this request."""
    model, tools, n = dated(asked["model"]), bool(asked.get("tools")), asked.get("n", 1)
    if path.startswith("/v1/messages"):
        return samples.named(*samples.message_events(model, tools))
    if path == "/v1/responses":
        return samples.named(*samples.response_events(model, tools))
    if path == "/v1/completions":
        return samples.completion_stream(model)
    return samples.chat_stream(model, n, tools, bool(asked.get("logprobs")))


async def _whole(send: Any, status: int, body: bytes) -> None:
    limits = [(b"anthropic-ratelimit-requests-remaining", b"7"), (b"x-ratelimit-remaining-requests", b"7")]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *limits]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _stream(send: Any, body: bytes, cut: bool = False) -> None:
    kind = [(b"content-type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": kind})
    for at in range(0, len(body) // 2 if cut else len(body), 97):  # in the middle of lines and of characters
        await send({"type": "http.response.body", "body": body[at : at + 97], "more_body": True})
    if cut:
        raise ConnectionAbortedError("cut on purpose")
    await send({"type": "http.response.body", "body": b""})


@contextmanager
def speaking(port: int) -> Iterator[SpeakingUpstream]:
    """The server in a thread."""
    fake = SpeakingUpstream()
    server = uvicorn.Server(uvicorn.Config(fake, host="127.0.0.1", port=port, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield fake
    finally:
        server.should_exit = server.force_exit = True
        thread.join(30)

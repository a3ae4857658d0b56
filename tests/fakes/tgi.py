"""A small real HTTP server with TGI's routes and answers we choose: fast, and able to be wrong on purpose."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeTgi:
    """What it says. `answers` maps a prompt's text to token ids."""

    name: str = "triage-r1"
    healthy: bool = True
    answers: dict[str, list[int]] = field(default_factory=dict)
    chat_answer: str | None = None
    """What every conversation gets; None for the words of its prompt's `answers`."""
    shows_prompts: bool = True
    adds_start: bool = False
    key: str = ""
    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)

    def prompt(self, messages: list[dict[str, Any]]) -> str:
        """Its chat template."""
        return "".join(f"<{message['role']}>{message['content']}" for message in messages) + "<assistant>"

    @contextmanager
    def running(self) -> Iterator[FakeTgi]:
        """Answer on a free port until the block ends."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def get(self, path: str) -> tuple[int, Any]:
        """The reply to a GET."""
        if path == "/health":
            return (200, None) if self.healthy else (503, {"error": "unhealthy", "error_type": "healthcheck"})
        if path == "/v1/models":
            return 200, {"object": "list", "data": [{"id": self.name, "object": "model"}]}
        return (200, {"model_id": self.name}) if path == "/info" else (404, None)

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """The reply to a POST."""
        self.seen.append(body)
        if path == "/chat_tokenize":
            shown = {"templated_text": self.prompt(body["messages"]), "tokenize_response": []}
            return (200, shown) if self.shows_prompts else (404, None)
        if path == "/tokenize":
            first = [{"id": 1, "text": ""}] if self.adds_start else []
            return 200, [*first, {"id": 1, "text": body["inputs"][:3]}, {"id": 2, "text": body["inputs"][3:]}]
        if path == "/v1/chat/completions":
            said, _tokens = self._said(self.prompt(body["messages"]), body.get("max_tokens") or 64)
            content = said if self.chat_answer is None else self.chat_answer
            choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
            return 200, {"id": "", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        return 200, [self._generated(body)]

    def _generated(self, body: dict[str, Any]) -> dict[str, Any]:
        text, tokens = self._said(body["inputs"], body["parameters"]["max_new_tokens"])
        details = {"finish_reason": "length", "generated_tokens": len(tokens), "prefill": [], "tokens": tokens}
        return {"generated_text": text, "details": details}

    def _said(self, prompt: str, count: int) -> tuple[str, list[dict[str, Any]]]:
        ids = self.answers.get(prompt, [0])[:count]
        tokens = [{"id": token, "text": word(token), "logprob": 0.0, "special": False} for token in ids]
        return words(ids), tokens


def word(token: int) -> str:
    """The text of a token."""
    return f"w{token} "


def words(tokens: list[int]) -> str:
    """The text of tokens."""
    return "".join(word(token) for token in tokens)


def _chunk(delta: dict[str, str], finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def _handler(fake: FakeTgi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(*fake.get(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if fake.key and self.headers.get("authorization") != f"Bearer {fake.key}":
                self._reply(401, None)
                return
            status, reply = fake.post(self.path, body)
            if status == 200 and body.get("stream") and self.path == "/v1/chat/completions":
                self._stream(str(reply["choices"][0]["message"]["content"]))
            else:
                self._reply(status, reply)

        def _stream(self, text: str) -> None:
            """The answer in pieces of a few letters, as TGI sends them; the connection's end is the stream's."""
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for start in range(0, len(text), 8):
                delta = {"role": "assistant", "content": text[start : start + 8]}
                self._event(json.dumps(_chunk(delta, None)))
            self._event(json.dumps(_chunk({"role": "assistant", "content": ""}, "stop")))
            self._event("[DONE]")

        def _event(self, data: str) -> None:
            self.wfile.write(f"data: {data}\n\n".encode())
            self.wfile.flush()

        def _reply(self, status: int, body: Any) -> None:
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests do not need an access log."""

    return Handler

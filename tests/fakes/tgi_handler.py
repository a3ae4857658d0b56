"""The fake TGI's replies: who may ask, what is wrong with a request, whole answers, and server-sent events."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.fakes.tgi import FAULT, Piece, Said, planted
from tests.fakes.tgi_checks import (
    BOOL,
    CHAT,
    FAULTS,
    OBJECT,
    PARAMETERS,
    TEXT,
    Plain,
    Refusal,
    check_grammar,
    check_parameters,
    check_shape,
    parsed,
)

if TYPE_CHECKING:
    from tests.fakes.tgi import FakeTgi

GENERATE = ("/", "/generate", "/generate_stream", "/invocations")
FINISH = {"length": "length", "eos_token": "stop", "stop_sequence": "stop"}
UNHEALTHY = {"error": "unhealthy", "error_type": "healthcheck"}


def handler(fake: FakeTgi) -> type[BaseHTTPRequestHandler]:
    """A handler for this fake."""
    return type("Handler", (Handler,), {"fake": fake})


class Handler(BaseHTTPRequestHandler):
    """One request."""

    fake: FakeTgi

    def do_GET(self) -> None:
        pages: dict[str, Any] = {
            "/info": self.fake.info(),
            "/v1/models": {"object": "list", "data": [{"id": self.fake.name, "object": "model", "created": 0}]},
            "/metrics": "# TYPE tgi_request_count counter\ntgi_request_count 1\n",
        }
        if self.path in ("/", "/health", "/ping"):
            self._reply(*((200, None) if self.fake.healthy else (503, UNHEALTHY)))
        elif self.path in pages:
            self._reply(200, pages[self.path])
        else:
            self._reply(404, None)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length") or 0))
        known = f"bearer {self.fake.key}".lower() == (self.headers.get("authorization") or "").lower()
        if self.fake.key and not known and self.path != "/chat_tokenize":
            self._reply(401, None)
            return
        try:
            self._answer(parsed(self.headers.get("content-type") or "", data))
        except Plain as error:
            self._reply(error.status, error.text)
        except Refusal as error:
            self._reply(error.status, error.body)

    def _answer(self, body: Any) -> None:
        if self.path in GENERATE:
            self._generate(body)
        elif self.path == "/v1/chat/completions":
            self._chat(body)
        elif self.path == "/chat_tokenize":
            self._note(body, CHAT, "messages")
            text = self.fake.prompt(body["messages"])
            shown = {"templated_text": text, "tokenize_response": self.fake.tokenized(text)}
            self._reply(*((200, shown) if self.fake.shows_prompts else (404, None)))
        elif self.path == "/tokenize":
            self._note(body, {"inputs": TEXT}, "inputs")
            self._reply(200, self.fake.tokenized(body["inputs"]))
        else:
            self._reply(404, None)

    def _note(self, body: Any, fields: dict[str, str], required: str) -> None:
        check_shape(body, fields, required)
        self.fake.seen.append(body)

    # TGI's own routes

    def _generate(self, body: Any) -> None:
        self._note(body, {"inputs": TEXT, "parameters": OBJECT, "stream": BOOL}, "inputs")
        asked = body.get("parameters") or {}
        check_shape(asked, PARAMETERS, "", "parameters.")
        check_grammar(asked.get("grammar"))
        streams = self.path == "/generate_stream" or (self.path != "/generate" and body.get("stream"))
        if not streams:
            self._whole(body["inputs"], asked)
            return
        self._begin_events()
        try:
            self._tokens(body["inputs"], asked)
        except Refusal as error:  # under 200: the head has been sent before anything was checked
            self._event(error.body)

    def _checked(self, prompt: str, asked: dict[str, Any]) -> Said:
        check_parameters(asked, len(self.fake.tokenized(prompt)) if len(prompt) < 2000 and prompt else len(prompt))
        if (error := planted(prompt)) is not None:
            raise error
        return self.fake.said(prompt, asked, asked.get("grammar"))

    def _whole(self, prompt: str, asked: dict[str, Any]) -> None:
        said = self._checked(prompt, asked)
        reply: dict[str, Any] = {"generated_text": (prompt if asked.get("return_full_text") else "") + said.text}
        if asked.get("details"):
            reply["details"] = {
                **_ending(said, asked),
                "prefill": [],
                "tokens": [piece.wire() for piece in said.pieces],
                **({"top_tokens": [_top(piece) for piece in said.pieces]} if asked.get("top_n_tokens") else {}),
            }
        self._reply(200, reply if self.path == "/generate" else [reply], _timing(said))

    def _tokens(self, prompt: str, asked: dict[str, Any]) -> None:
        if (asked.get("best_of") or 1) != 1:
            raise Refusal(
                422, "Input validation error: `best_of` != 1 is not supported when streaming tokens", "validation"
            )
        said = self._checked(prompt, asked)
        for count, piece in enumerate(said.pieces, start=1):
            if count == 3 and _breaks(prompt):
                raise FAULTS["generation"]
            last = count == len(said.pieces)
            event = {
                "index": count,
                "token": piece.wire(),
                "top_tokens": _top(piece) if asked.get("top_n_tokens") else [],
                "generated_text": said.text if last else None,
                "details": {**_ending(said, asked), "input_length": 2} if last else None,
            }
            self._event(event)

    # OpenAI's route

    def _chat(self, body: Any) -> None:
        self._note(body, CHAT, "messages")
        check_grammar(body.get("response_format"))
        if not body["messages"]:
            raise Refusal(422, "Input validation error: `inputs` cannot be empty", "validation")
        if not body.get("stream"):
            said = self._chat_said(body)
            message = {"role": "assistant", "content": said.text}
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH[said.finish]}
            self._reply(
                200, {**self._head("chat.completion"), "choices": [choice], "usage": _usage(said)}, _timing(said)
            )
            return
        self._begin_events()
        try:
            self._chunks(body)
        except Refusal as error:
            self._event({"error": {"message": error.error, "http_status_code": error.status}})
        self._send("[DONE]")

    def _chat_said(self, body: dict[str, Any]) -> Said:
        prompt = self.fake.prompt(body["messages"])
        temperature = body.get("temperature")
        asked = {
            "max_new_tokens": body.get("max_tokens"),
            "temperature": temperature if temperature != 0 else None,
            "do_sample": temperature != 0,
            "top_p": body.get("top_p"),
            "stop": body.get("stop"),
            "frequency_penalty": body.get("frequency_penalty"),
            "grammar": body.get("response_format"),
        }
        said = self._checked(prompt, asked)
        if self.fake.chat_answer is None or body.get("response_format"):
            return said
        text = self.fake.chat_answer
        return Said([Piece(at, text[at : at + 8]) for at in range(0, len(text), 8)], "eos_token")

    def _chunks(self, body: dict[str, Any]) -> None:
        said, head = self._chat_said(body), self._head("chat.completion.chunk")
        for count, piece in enumerate(said.pieces, start=1):
            if count == 3 and _breaks(self.fake.prompt(body["messages"])):
                raise FAULTS["generation"]
            finish = FINISH[said.finish] if count == len(said.pieces) else None
            delta = {"role": "assistant", "content": piece.text}
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            self._event({**head, "choices": [choice], "usage": None})
        if (body.get("stream_options") or {}).get("include_usage"):
            self._event({**head, "choices": [], "usage": _usage(said)})

    def _head(self, kind: str) -> dict[str, Any]:
        named = {"id": "", "object": kind, "created": 1, "model": self.fake.name}
        return {**named, "system_fingerprint": "3.3.7-native"}

    # The wire

    def _begin_events(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("x-accel-buffering", "no")
        self.end_headers()

    def _event(self, body: dict[str, Any]) -> None:
        time.sleep(self.fake.pause_s)
        self._send(json.dumps(body))

    def _send(self, data: str) -> None:
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()

    def _reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        plain = body is None or isinstance(body, str)
        data = (body or "").encode() if plain else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8" if plain else "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests do not need an access log."""


def _breaks(prompt: str) -> bool:
    found = FAULT.search(prompt)
    return bool(found) and found.group(1) == "mid-stream"  # type: ignore[union-attr]


def _ending(said: Said, asked: dict[str, Any]) -> dict[str, Any]:
    seed = asked.get("seed") if asked.get("do_sample") else None
    return {"finish_reason": said.finish, "generated_tokens": len(said.pieces), "seed": seed}


def _top(piece: Piece) -> list[dict[str, Any]]:
    return [piece.wire()]


def _usage(said: Said) -> dict[str, int]:
    return {"prompt_tokens": 2, "completion_tokens": len(said.pieces), "total_tokens": 2 + len(said.pieces)}


def _timing(said: Said) -> dict[str, str]:
    count = str(len(said.pieces))
    zeros = ("x-compute-time", "x-total-time", "x-validation-time", "x-queue-time", "x-inference-time")
    told = {"x-compute-type": "1-fake", "x-prompt-tokens": "2", "x-generated-tokens": count, "x-time-per-token": "0"}
    return {**dict.fromkeys(zeros, "0"), **told}

"""A small real HTTP server with the routes, words and traps of TGI 3.3.7, and answers we choose.

It is fast, and able to be wrong on purpose: a prompt with `fault:KIND` in it gets that error, with `fault:mid-stream`
after two tokens. Like TGI it ignores what it does not know, and answers for every model and adapter with the weights
it has.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from tests.fakes.tgi_checks import FAULTS, MAX_INPUT, MAX_TOTAL, Refusal, schema_of

FAULT = re.compile(r"fault:([a-z-]+)")


@dataclass
class FakeTgi:
    """What it says. `answers` maps a prompt's text to token ids; other prompts get `usual`."""

    name: str = "triage-r1"
    healthy: bool = True
    answers: dict[str, list[int]] = field(default_factory=dict)
    usual: list[int] = field(default_factory=lambda: [0])
    chat_answer: str | None = None
    """What every conversation gets; None for the words of its prompt's `answers`."""
    shows_prompts: bool = True
    adds_start: bool = False
    pause_s: float = 0.0
    """Before each event of a stream, as while a model thinks."""
    key: str = ""
    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)

    def prompt(self, messages: list[dict[str, Any]]) -> str:
        """Its chat template."""
        return "".join(f"<{message['role']}>{message['content']}" for message in messages) + "<assistant>"

    @contextmanager
    def running(self) -> Iterator[FakeTgi]:
        """Answer on a free port until the block ends."""
        from tests.fakes.tgi_handler import handler

        server = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def info(self) -> dict[str, Any]:
        """GET /info."""
        return {
            "model_id": self.name,
            "model_sha": None,
            "model_pipeline_tag": None,
            "max_concurrent_requests": 128,
            "max_best_of": 2,
            "max_stop_sequences": 4,
            "max_input_tokens": MAX_INPUT,
            "max_total_tokens": MAX_TOTAL,
            "validation_workers": 2,
            "max_client_batch_size": 4,
            "router": "text-generation-router",
            "version": "3.3.7",
            "sha": None,
            "docker_label": "sha-3.3.7",
        }

    def tokenized(self, text: str) -> list[dict[str, Any]]:
        """Two tokens, whatever the text; and a start token if it adds one."""
        first = [{"id": 1, "text": "", "start": 0, "stop": 0}] if self.adds_start else []
        halves = [(0, min(3, len(text))), (min(3, len(text)), len(text))]
        rest = [{"id": at + 1, "text": text[a:b], "start": a, "stop": b} for at, (a, b) in enumerate(halves)]
        return [*first, *rest]

    def said(self, prompt: str, asked: dict[str, Any], grammar: Any = None) -> Said:
        """The answer to this prompt."""
        limit = asked.get("max_new_tokens") or MAX_TOTAL - MAX_INPUT // 2
        if grammar is not None:
            return Said([Piece(7, fitting(grammar))], "eos_token")
        ids = self.answers.get(prompt, self.usual)
        pieces, finish = [Piece(token, word(token)) for token in ids[:limit]], "length"
        for count in range(1, len(pieces) + 1):
            text = "".join(piece.text for piece in pieces[:count])
            if any(stop in text for stop in asked.get("stop") or []):
                return Said(pieces[:count], "stop_sequence")
        if len(ids) < limit and ids is self.usual and len(ids) > 1:
            finish = "eos_token"
        return Said(pieces, finish)


@dataclass(frozen=True)
class Piece:
    """A token."""

    id: int
    text: str

    def wire(self) -> dict[str, Any]:
        """As TGI shows it."""
        return {"id": self.id, "text": self.text, "logprob": -0.5, "special": False}


@dataclass(frozen=True)
class Said:
    """An answer."""

    pieces: list[Piece]
    finish: str

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(piece.text for piece in self.pieces)


def planted(prompt: str) -> Refusal | None:
    """The error this prompt asks for before any token."""
    found = FAULT.search(prompt)
    return FAULTS.get(found.group(1)) if found else None


def fitting(grammar: dict[str, Any]) -> str:
    """A text that the grammar allows; for a regular expression, the expression without its signs."""
    if grammar["type"] == "regex":
        return re.sub(r"[^a-z0-9]", "", grammar["value"])
    return json.dumps(_instance(schema_of(grammar)))


def _instance(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    if kind == "object":
        return {name: _instance(part) for name, part in schema.get("properties", {}).items()}
    return {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "array": []}.get(kind)


def word(token: int) -> str:
    """The text of a token."""
    return f"w{token} "


def words(tokens: list[int]) -> str:
    """The text of tokens."""
    return "".join(word(token) for token in tokens)

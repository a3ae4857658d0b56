"""The caller asked for an alias, so the answer names the alias, whichever model gave it."""

from __future__ import annotations

import re
from typing import Any

import orjson

MODEL = re.compile(rb'"model"\s*:\s*"[^"\\]*"')
"""Only a real key can match: inside a JSON string the quotes are escaped."""
EVENT = b"data:"
HOLDERS = ("message", "response")
"""Where events of Anthropic's messages and of responses name the model."""


class ModelName:
    """Puts a name in place of the upstream's; in a stream it holds back an unfinished line only."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._field = b'"model":' + orjson.dumps(name)
        self._rest = b""

    def in_body(self, body: bytes) -> bytes:
        """A whole answer, or a line of a stream, with the name in it."""
        if body.count(b'"model"') > 1 and (put := self._put(body)) is not None:
            return put
        return MODEL.sub(lambda _: self._field, body, count=1)

    def _put(self, body: bytes) -> bytes | None:
        """The same by reading it, where what the model said may have a field of that name too; None if it cannot be."""
        start = len(EVENT) if body.startswith(EVENT) else 0
        try:
            found = orjson.loads(body[start:])
        except orjson.JSONDecodeError:
            return None
        for holder in (found, *(_inner(found, name) for name in HOLDERS)):
            if isinstance(holder, dict) and isinstance(holder.get("model"), str):
                holder["model"] = self._name
        return body[:start] + orjson.dumps(found) + (b"\r" if body.endswith(b"\r") else b"")

    def feed(self, piece: bytes) -> bytes:
        """The whole lines there are now, each with the name in it."""
        lines, newline, self._rest = (self._rest + piece).rpartition(b"\n")
        return b"\n".join(self.in_body(line) for line in lines.split(b"\n")) + newline if newline else b""

    def flush(self) -> bytes:
        """What was held back."""
        rest, self._rest = self._rest, b""
        return self.in_body(rest)


class SameName(ModelName):
    """Passes bytes through: the caller named the upstream's own model."""

    def __init__(self) -> None:
        super().__init__("")

    def in_body(self, body: bytes) -> bytes:
        """The same bytes."""
        return body

    def feed(self, piece: bytes) -> bytes:
        """The same bytes."""
        return piece


def _inner(found: Any, name: str) -> Any:
    return found.get(name) if isinstance(found, dict) else None

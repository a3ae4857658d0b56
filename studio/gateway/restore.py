"""The caller asked for an alias, so the answer names the alias, whichever model gave it."""

from __future__ import annotations

import re

import orjson

MODEL = re.compile(rb'"model"\s*:\s*"[^"\\]*"')
"""Only a real key can match: inside a JSON string the quotes are escaped."""


class ModelName:
    """Puts a name in place of the upstream's; in a stream it holds back an unfinished line only."""

    def __init__(self, name: str) -> None:
        self._field = b'"model":' + orjson.dumps(name)
        self._rest = b""

    def in_body(self, body: bytes) -> bytes:
        """A whole completion with the name in it."""
        return MODEL.sub(lambda _: self._field, body, count=1)

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

"""The caller asked for an alias, so the answer names the alias, whichever model gave it.

A stream is passed on in whole events: no client can use half of one, and an error that is told after a half one is no
event but a part of that one.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

MODEL = re.compile(rb'"model"\s*:\s*"[^"\\]*"')
"""Only a real key can match: inside a JSON string the quotes are escaped."""
MODEL_KEY = b'"model"'
EVENT = b"data:"
ENDS = (b"\n\n", b"\r\n\r\n")
"""A blank line ends an event."""
LONGEST_END = 3
"""Bytes of an end that may be there before its last one."""
MOST_HELD = 8 << 20
"""Bytes of an event that are held back; what is longer is passed on as it comes."""
HOLDERS = ("message", "response")
"""Where events of Anthropic's messages and of responses name the model."""


class _Events:
    """Bytes as they come, given on as far as their events are whole."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._last = b""

    def whole(self, piece: bytes) -> bytes:
        """The whole events there are now."""
        if not self._held and piece.endswith(ENDS):
            return piece
        seen = self._last + piece
        end = max(seen.rfind(mark) + len(mark) if mark in seen else 0 for mark in ENDS) - len(self._last)
        if end <= 0 and self._size + len(piece) < MOST_HELD:
            self._hold(piece)
            return b""
        end = end if end > 0 else len(piece)
        found = b"".join((*self._held, piece[:end]))
        self.rest()
        if end < len(piece):
            self._hold(piece[end:])
        return found

    def rest(self) -> bytes:
        """What was held back."""
        held, self._held, self._size, self._last = self._held, [], 0, b""
        return b"".join(held)

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        self._size += len(piece)
        self._last = (self._last + piece)[-LONGEST_END:]


class ModelName:
    """Puts a name in place of the upstream's; in a stream it holds back an unfinished event only."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._field = b'"model":' + orjson.dumps(name)
        self._events = _Events()

    def in_body(self, body: bytes) -> bytes:
        """A whole answer, or a line of a stream, with the name in it."""
        if body.count(MODEL_KEY) > 1 and (put := self._put(body)) is not None:
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
        """The whole events there are now, each with the name in it."""
        return self._named(self._events.whole(piece))

    def flush(self) -> bytes:
        """What was held back."""
        return self._named(self._events.rest())

    def _named(self, events: bytes) -> bytes:
        lines = events.split(b"\n")
        return b"\n".join([self.in_body(line) if MODEL_KEY in line else line for line in lines])


class SameName(ModelName):
    """Passes bytes through: the caller named the upstream's own model."""

    def __init__(self) -> None:
        super().__init__("")

    def in_body(self, body: bytes) -> bytes:
        """The same bytes."""
        return body

    def feed(self, piece: bytes) -> bytes:
        """The same bytes."""
        return self._events.whole(piece)

    def flush(self) -> bytes:
        """The same bytes."""
        return self._events.rest()


def _inner(found: Any, name: str) -> Any:
    return found.get(name) if isinstance(found, dict) else None

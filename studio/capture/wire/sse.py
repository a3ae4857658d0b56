"""Server-sent events, read so that a cut or odd stream gives what of it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.capture.text import parse_json

DONE = b"[DONE]"


def events(body: bytes) -> Iterator[dict[str, Any] | None]:
    """The JSON objects of a stream's data lines, and None for `[DONE]`."""
    for line in body.replace(b"\r", b"\n").split(b"\n"):
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == DONE:
            yield None
        elif isinstance(found := parse_json(data), dict):
            yield found

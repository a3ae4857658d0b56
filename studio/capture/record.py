"""A journal record: what was known when a call ended, with the request and the reply as bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from studio.capture.text import storable

LENGTHS = struct.Struct("<III")

NUL = b"\\u0000"
LARGEST, LARGEST_FLOAT = 2**63 - 1, 10**300

CALL = "call"
FEEDBACK = "feedback"


@dataclass(frozen=True, slots=True)
class Record:
    """`meta` says what kind it is and the facts; `request` and `reply` are the bodies, not yet parsed."""

    meta: dict[str, Any]
    request: bytes = b""
    reply: bytes = b""

    @property
    def kind(self) -> str:
        """call or feedback."""
        return str(self.meta.get("kind", CALL))

    @property
    def at(self) -> datetime:
        """When it was. Raises ValueError where no calendar knows that moment."""
        try:
            return datetime.fromtimestamp(float(self.meta["at"]), UTC)
        except (OSError, OverflowError) as error:
            raise ValueError("The record's time is no moment of any calendar.") from error

    def pack(self) -> bytes:
        """The payload of one journal frame."""
        meta = _dumps(self.meta)
        return b"".join((LENGTHS.pack(len(meta), len(self.request), len(self.reply)), meta, self.request, self.reply))

    @classmethod
    def unpack(cls, payload: bytes) -> Record:
        """Read a payload back. Raises ValueError when it is no record of ours."""
        if len(payload) < LENGTHS.size:
            raise ValueError("The record is shorter than its header.")
        meta, request, reply = LENGTHS.unpack_from(payload)
        start = LENGTHS.size
        if len(payload) != start + meta + request + reply:
            raise ValueError("The record's lengths do not add up.")
        middle, end = start + meta, start + meta + request
        meta_bytes = payload[start:middle]
        told = orjson.loads(meta_bytes)
        return cls(storable(told) if NUL in meta_bytes else told, payload[middle:end], payload[end:])


def _dumps(meta: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(meta, default=str)
    except TypeError:  # numbers beyond 64 bits, half characters, names that are no text
        return orjson.dumps(_tamed(meta), default=str, option=orjson.OPT_NON_STR_KEYS)


def _tamed(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list | tuple):
        return [_tamed(item) for item in value]
    if isinstance(value, dict):
        return {_tamed(key): _tamed(item) for key, item in value.items()}
    if isinstance(value, int) and abs(value) > LARGEST:
        return float(value) if abs(value) < LARGEST_FLOAT else None
    return value

"""POST /v1/traces and /v1/logs: OTLP over HTTP, as protobuf or JSON, packed or not, answered as OTLP says."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from studio.capture.otlp.calls import calls_of
from studio.capture.otlp.span import Export, Span
from studio.capture.reported import Reported
from studio.gateway.errors import ApiError, too_large
from studio.gateway.http import JSON, Request
from studio.gateway.intakes.taking import UNREADABLE, Taking
from studio.gateway.keys import KeyOf

PROTOBUF: tuple[bytes, bytes] = (b"content-type", b"application/x-protobuf")
BIG = 16 << 10
"""A body longer than this is unpacked and read beside the loop, so that calls do not wait for it."""
GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
PACKED = ("gzip", "deflate", "x-gzip")
MOST_PARTS = 64
"""What was packed in parts is unpacked part by part, and each part costs a copy of all that follows."""
INVALID, UNAVAILABLE = 3, 14
"""Codes of google.rpc.Status."""
AGAIN_S = b"5"

T = TypeVar("T")


def _spans_protobuf(body: bytes) -> Export:
    from studio.capture.otlp.protobuf import read_protobuf  # not before the first trace: starting stays light

    return read_protobuf(body)


def _spans_json(found: Any) -> Export:
    from studio.capture.otlp.json_form import read_json

    return read_json(found)


def _records_protobuf(body: bytes) -> Export:
    from studio.capture.otlp.protobuf import read_protobuf_logs

    return read_protobuf_logs(body)


def _records_json(found: Any) -> Export:
    from studio.capture.otlp.json_form import read_json_logs

    return read_json_logs(found)


@dataclass(frozen=True)
class Signal:
    """What kind of export it is: its name, how its two forms are read, and what its answer calls what was refused."""

    name: str
    from_protobuf: Callable[[bytes], Export]
    from_json: Callable[[Any], Export]
    refused: str


SPANS = Signal("traces", _spans_protobuf, _spans_json, "rejectedSpans")
RECORDS = Signal("logs", _records_protobuf, _records_json, "rejectedLogRecords")


class TakeExport:
    """Takes what tells of calls to models; accepts all other spans or log records without keeping them."""

    def __init__(self, taking: Taking, signal: Signal = SPANS) -> None:
        self._taking = taking
        self._signal = signal

    async def __call__(self, request: Request) -> None:
        """Take one export."""
        key = await self._taking.reporter(request)
        _reader(request, self._signal)
        await self.take(request, key, await request.body(self._taking.max_body))

    async def take(self, request: Request, key: KeyOf, body: bytes) -> None:
        """Take one export whose body has come."""
        read = _reader(request, self._signal)
        try:
            body = await _beside(
                lambda: unpacked(body, request.header(b"content-encoding"), self._taking.max_body), body
            )
            export, calls = await _beside(lambda: _calls(read(body)), body)
        except ValueError as error:
            await _refuse(request, 400, INVALID, str(error))
            return
        try:
            _, refused = await self._taking.record(key, calls)
        except ApiError as error:
            await _refuse(request, 503, UNAVAILABLE, error.message)
            return
        for reason in refused:
            export.refuse(reason)
        await _accept(request, export, self._signal)


def unpacked(body: bytes, encoding: str, most: int) -> bytes:
    """The body as it was before it was packed. Raises ValueError, or ApiError 413 when it grows beyond `most`."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in PACKED:
        raise ApiError(415, f"The content-encoding {encoding[:40]!r} is unknown here. Use gzip, or none.")
    pieces: list[bytes] = []
    left = most
    while body:
        if len(pieces) == MOST_PARTS:
            raise ValueError("The packed body is made of too many parts. Pack it as one.")
        unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
        try:
            piece = unpacker.decompress(body, left + 1)
        except zlib.error as error:
            raise ValueError(f"The body is not packed as {name}: {error}.") from error
        left -= len(piece)
        if left < 0:
            raise too_large(most)
        if not unpacker.eof:
            raise ValueError("The packed body ends in the middle.")
        pieces.append(piece)
        body = unpacker.unused_data
    return b"".join(pieces)


def _reader(request: Request, signal: Signal) -> Callable[[bytes], Export]:
    kind = request.header(b"content-type").partition(";")[0].strip().lower()
    if kind == "application/json":
        return lambda body: signal.from_json(_parsed(body))
    if kind == "application/x-protobuf":
        return signal.from_protobuf
    raise ApiError(415, f"Send {signal.name} as application/x-protobuf or application/json (OTLP over HTTP).")


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"The body is not valid JSON at {place}: {error.msg}.") from error


def _calls(export: Export) -> tuple[Export, list[Reported]]:
    try:
        return export, calls_of(export.spans)
    except UNREADABLE:
        return export, [call for span in export.spans for call in _alone(export, span)]


def _alone(export: Export, span: Span) -> list[Reported]:
    """The call of one span, where some span of the export cannot be read."""
    try:
        return calls_of([span])
    except UNREADABLE as error:
        export.refuse(f"A span cannot be read: {str(error)[:200]}.")
        return []


async def _beside(work: Callable[[], T], body: bytes) -> T:
    return await asyncio.to_thread(work) if len(body) > BIG else work()


async def _accept(request: Request, export: Export, signal: Signal) -> None:
    """An empty answer says that all was taken; else it tells how many were not, and why."""
    if _wants_json(request):
        partial = {signal.refused: str(export.refused), "errorMessage": export.reason}
        await request.respond(200, [JSON], orjson.dumps({"partialSuccess": partial} if export.refused else {}))
        return
    partial_success = _field(1, export.refused) + _text(2, export.reason)
    await request.respond(200, [PROTOBUF], _bytes(1, partial_success) if export.refused else b"")


async def _refuse(request: Request, status: int, code: int, message: str) -> None:
    """A google.rpc.Status in the form of the request; an exporter sends again what is answered by 503."""
    headers = [(b"retry-after", AGAIN_S)] if status == 503 else []
    if _wants_json(request):
        await request.respond(status, [JSON, *headers], orjson.dumps({"code": code, "message": message}))
        return
    await request.respond(status, [PROTOBUF, *headers], _field(1, code) + _text(2, message))


def _wants_json(request: Request) -> bool:
    return request.header(b"content-type").lower().startswith("application/json")


def _field(number: int, value: int) -> bytes:
    return bytes([number << 3]) + _varint(value)


def _text(number: int, text: str) -> bytes:
    return _bytes(number, text.encode("utf-8", "replace"))


def _bytes(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])

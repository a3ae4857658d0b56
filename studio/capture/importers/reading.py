"""Rows of a file as calls, feedback and errors; whatever is in a row, nothing but these comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from studio.capture.importers.fields import known, now
from studio.capture.importers.layouts.port import START, Layout, Place, Raw
from studio.capture.importers.port import (
    Call,
    Imported,
    ImportedCall,
    ImportedFeedback,
    Importer,
    NoCall,
    Refused,
    RowError,
    Said,
    Skipped,
)
from studio.capture.record import Record

DUMP = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
ODD = "The row cannot be read ({}). Leave it out, or correct it."
TOO_DEEP = "The row is nested too deeply. Leave it out."

Before = Callable[[dict[str, Any]], dict[str, Any]]
"""What is done to a row before it is read: what a batch asked is put beside what it answered."""


def read_rows(
    layout: Layout, importer: Importer, place: Place = START, salt: bytes = b"", before: Before | None = None
) -> Iterator[Imported]:
    """Everything behind a place. `salt` makes rows that are read another way other rows."""
    for raw in layout.rows(place):
        yield from read_row(raw, importer, salt, before)


def read_row(raw: Raw, importer: Importer, salt: bytes = b"", before: Before | None = None) -> list[Imported]:
    """What one row holds."""
    if raw.data is None:
        return [RowError(raw.number, raw.end, raw.error)]
    digest = hashlib.sha256(salt + raw.source).hexdigest()
    try:
        found = list(importer.read(before(raw.data) if before else raw.data))
        made = _made(raw, digest, found)
    except Refused as error:
        return [RowError(raw.number, raw.end, error.reason, error.field)]
    except NoCall as error:
        return [Skipped(raw.number, raw.end, str(error))]
    except RecursionError:
        return [RowError(raw.number, raw.end, TOO_DEEP)]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return [RowError(raw.number, raw.end, ODD.format(f"{type(error).__name__}: {error}"[:200]))]
    if raw.error:
        made.append(RowError(raw.number, raw.end, raw.error))
    return made


def _made(raw: Raw, digest: str, found: list[Call | Said]) -> list[Imported]:
    made: list[Imported] = []
    for number, item in enumerate(found):
        own = digest if number == 0 else hashlib.sha256(f"{digest}:{number}".encode()).hexdigest()
        if isinstance(item, Said):
            made.append(_feedback(raw, item, {}))
            continue
        meta = {"source": "import", "at": now(), **known(item.meta)}
        meta["external_id"] = meta.get("external_id") or f"sha256:{own}"
        record = Record(meta, orjson.dumps(item.request, option=DUMP), orjson.dumps(item.response, option=DUMP))
        made.append(ImportedCall(raw.number, raw.end, own, record))
        target = {"external_id": str(meta["external_id"])}
        made += [_feedback(raw, said, target) for said in item.feedback]
    return made


def _feedback(raw: Raw, said: Said, call: dict[str, str]) -> ImportedFeedback:
    target = said.target or call
    if not target:
        raise Refused("The feedback names no call: give it a trace id or the id of a call.", "trace_id")
    told = known(
        {"kind": said.kind, "name": said.name, "value": said.value, "text": said.text, "given_by": said.given_by}
    )
    return ImportedFeedback(raw.number, raw.end, said.id or _derived(target, told), target, told, said.at)


def _derived(target: dict[str, str], told: dict[str, Any]) -> str:
    """An id for feedback that brings none: of what it says about which call."""
    return hashlib.sha256(orjson.dumps([target, told], option=orjson.OPT_SORT_KEYS | DUMP)).hexdigest()[:40]

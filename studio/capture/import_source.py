"""A file to import, opened: its parts, how rows lie in each, whose rows they are, and what joins them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from studio.capture.importers.batches import BatchInputs
from studio.capture.importers.catalog import COLUMNS, importer, recognise
from studio.capture.importers.columns import ColumnMapping
from studio.capture.importers.guess import guessed
from studio.capture.importers.layouts.catalog import layout_of
from studio.capture.importers.layouts.port import START, Layout, Place
from studio.capture.importers.port import Imported, Importer
from studio.capture.importers.reading import Before, read_rows
from studio.capture.importers.unpack import Part, unpack
from studio.errors import InvalidInput

LOOKED_AT = 50
"""Rows that tell what a file is."""
INPUTS = "batch_inputs"


@dataclass
class Opened:
    """One part of a file, ready to be read."""

    part: Part
    layout: Layout
    format: str
    mapping: dict[str, list[str]]
    head: list[dict[str, Any]]
    """The first rows as they are."""
    before: Before | None = None

    @property
    def importer(self) -> Importer:
        """What reads its rows."""
        return importer(self.format, self.mapping)

    @property
    def columns(self) -> list[str]:
        """Its columns, or all fields of its first rows."""
        return self.layout.columns or list(dict.fromkeys(name for row in self.head for name in row))

    def rows(self, place: Place = START) -> Iterator[Imported]:
        """Everything behind a place."""
        salt = orjson.dumps(self.mapping, option=orjson.OPT_SORT_KEYS) if self.format == COLUMNS else b""
        return read_rows(self.layout, self.importer, place, salt, self.before)


@dataclass
class Unreadable:
    """A part of a bundle that is of no kind that can be read."""

    part: Part
    reason: str


def parts_of(path: Path, name: str, folder: Path, most: int = 0) -> list[Part]:
    """The plain files in a file or in a folder of files; `folder` takes what is unpacked."""
    if not path.exists():
        raise InvalidInput(f"There is no file at {path}. Choose it again.")
    if not path.is_dir():
        return unpack(path, name, folder, most)
    files = sorted(each for each in path.rglob("*") if each.is_file() and not _hidden(each.relative_to(path)))
    return [
        part for number, each in enumerate(files) for part in unpack(each, each.name, folder / f"{number:04}", most)
    ]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def fresh(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def open_parts(parts: list[Part], format: str = "", mapping: ColumnMapping | None = None) -> list[Opened | Unreadable]:
    """Each part with its layout and format, recognised where none is given; inputs of batches join their outputs.

    A part of a bundle that cannot be read is told apart; a file that is alone raises InvalidInput.
    """
    opened = [_opened(part, format, mapping, len(parts) == 1) for part in parts]
    readable = [each for each in opened if isinstance(each, Opened)]
    inputs = [each for each in readable if each.head and all(map(BatchInputs.is_input, each.head))]
    if not inputs or len(inputs) == len(readable):
        return opened
    joined = BatchInputs([each.layout for each in inputs])
    for each in readable:
        each.before = joined.joined
    return [each for each in opened if each not in inputs]


def _opened(part: Part, format: str, mapping: ColumnMapping | None, alone: bool) -> Opened | Unreadable:
    try:
        layout = layout_of(part.path)
        head = [raw.data for raw in islice(layout.rows(), LOOKED_AT) if raw.data is not None]
        found = format or recognise(head)
        chosen = {role: list(names) for role, names in (mapping or {}).items()}
        if found == COLUMNS and not chosen:
            chosen = guessed(layout.columns or list(dict.fromkeys(name for row in head for name in row)), head)
        return Opened(part, layout, found, chosen if found == COLUMNS else {}, head)
    except InvalidInput as error:
        if alone:
            raise
        return Unreadable(part, error.message)

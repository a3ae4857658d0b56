"""How a file would be imported: its first calls as they will look, its errors by row, the mapping of its columns."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from studio.capture.entries import entry_values
from studio.capture.import_rows import record_of
from studio.capture.import_source import LOOKED_AT, Opened, Unreadable, open_parts, parts_of
from studio.capture.importers.catalog import COLUMNS, importer, labels
from studio.capture.importers.columns import ColumnMapping, lacks
from studio.capture.importers.port import ImportedCall, ImportedFeedback, RowError, Skipped
from studio.errors import InvalidInput

PREVIEWED = 20
HEAD = 4 << 20
"""Bytes of a packed text that a preview unpacks."""
SHOWN_CELL = 300


@dataclass
class PartPreview:
    """One file of a bundle."""

    name: str
    format: str
    label: str
    problem: str = ""


@dataclass
class Preview:
    """How the beginning of a file reads."""

    format: str
    label: str
    """The format's name for people."""
    layout: str
    size: int
    columns: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The first rows as they stand in the file."""
    calls: list[dict[str, Any]] = field(default_factory=list)
    """Column values of the first calls."""
    feedback: list[dict[str, Any]] = field(default_factory=list)
    """What the first rows say about calls."""
    errors: list[RowError] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    mapping: dict[str, list[str]] = field(default_factory=dict)
    lacks: str = ""
    """What the mapping lacks before the import can start."""
    notes: list[str] = field(default_factory=list)
    parts: list[PartPreview] = field(default_factory=list)
    """The files of a bundle; empty where there is one."""


def preview_of(
    path: Path, name: str, format: str = "", mapping: ColumnMapping | None = None, rows: int = PREVIEWED
) -> Preview:
    """Read the first rows only. Raises InvalidInput when the file cannot be imported."""
    with tempfile.TemporaryDirectory(prefix="whetstone-preview-") as folder:
        parts = parts_of(path, name, Path(folder), most=HEAD)
        opened = open_parts(parts, format, mapping)
        readable = [each for each in opened if isinstance(each, Opened)]
        if not readable:
            first = next(each.reason for each in opened if isinstance(each, Unreadable))
            raise InvalidInput(f"No file of the archive can be read. {first}")
        preview = _begun(readable[0], path)
        for each in readable if len(readable) > 1 else readable[:1]:
            _look(each, preview, rows)
        preview.parts = [_part(each) for each in opened] if len(opened) > 1 else []
    return preview


def _begun(first: Opened, path: Path) -> Preview:
    made = Preview(first.format, importer(first.format).label, first.layout.name, _size(path))
    made.columns, made.mapping = first.columns, first.mapping
    made.rows = [{name: shown(value) for name, value in row.items()} for row in first.head[:PREVIEWED]]
    made.lacks = lacks(first.mapping) if first.format == COLUMNS else ""
    made.notes = [note for note in (first.part.note, *first.layout.notes) if note]
    return made


def _look(each: Opened, preview: Preview, rows: int) -> None:
    """Calls, feedback and errors of a part's first rows, so many in all."""
    if each.format == COLUMNS and lacks(each.mapping):
        return
    left = rows - len(preview.calls) - len(preview.errors)
    for item in islice(each.rows(), min(left, LOOKED_AT) * 4):
        if isinstance(item, ImportedCall) and len(preview.calls) < rows:
            preview.calls.append(entry_values(record_of(item, "")))
        elif isinstance(item, ImportedFeedback) and len(preview.feedback) < rows:
            preview.feedback.append({**item.target, **item.said})
        elif isinstance(item, RowError) and item.end >= each.layout.size >= HEAD:
            return  # where the preview was cut off, not the file
        elif isinstance(item, RowError) and len(preview.errors) < rows:
            preview.errors.append(item)
        elif isinstance(item, Skipped) and len(preview.skipped) < rows:
            preview.skipped.append(item)
        if len(preview.calls) + len(preview.errors) >= rows:
            return


def _part(each: Opened | Unreadable) -> PartPreview:
    if isinstance(each, Unreadable):
        return PartPreview(each.part.name, "", "", each.reason)
    return PartPreview(each.part.name, each.format, labels()[each.format])


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return path.stat().st_size


def shown(value: Any) -> Any:
    """A cell as a preview shows it: whole figures, texts cut."""
    if value is None or isinstance(value, int | float | bool):
        return value
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CELL else f"{text[:SHOWN_CELL]}…"

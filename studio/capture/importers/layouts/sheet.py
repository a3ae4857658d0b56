"""Excel and OpenDocument tables: the first sheet that holds rows; the position is a row number."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from python_calamine import CalamineError, CalamineWorkbook

from studio.capture.importers.layouts.port import START, Place, Raw
from studio.capture.importers.layouts.table import named
from studio.capture.importers.unzip import checked_size
from studio.capture.text import storable
from studio.errors import InvalidInput

LARGEST = 300 << 20
"""Bytes of a workbook, unpacked: it is read as a whole."""


class SheetTable:
    """Reads rows as dicts of their columns."""

    name = "Excel"

    def __init__(self, path: Path) -> None:
        self.path = path
        checked_size(path, LARGEST)
        book = _opened(path)
        try:
            sheets = [(name, book.get_sheet_by_name(name)) for name in book.sheet_names]
        except (CalamineError, ValueError) as error:
            raise _unreadable(error) from error
        filled = [(name, sheet) for name, sheet in sheets if sheet.height > 1]
        if not filled:
            raise InvalidInput("No sheet of the workbook has rows below its first one. Put the calls into a sheet.")
        self._name, self._sheet = filled[0]
        self.size = self._sheet.height
        self.notes = [f"Sheet “{self._name}”."] if len(sheets) > 1 else []
        if others := [name for name, _ in filled[1:]]:
            self.notes.append(f"Not read: {', '.join(others)}. Save each sheet as a file of its own to import it.")
        self._columns = named([_text(cell) for cell in next(iter(self._sheet.iter_rows()), [])])

    @property
    def columns(self) -> list[str]:
        """As the first row has them."""
        return self._columns

    def rows(self, place: Place = START) -> Iterator[Raw]:
        """The rows behind a place."""
        for number, cells in enumerate(self._sheet.iter_rows(), 1):
            if number <= max(place.number, 1) or not any(cell != "" for cell in cells):
                continue
            data = storable({name: _plain(cell) for name, cell in zip(self._columns, cells, strict=False)})
            yield Raw(number, number, data, orjson.dumps(data, default=str))


def _opened(path: Path) -> CalamineWorkbook:
    try:
        return CalamineWorkbook.from_path(str(path))
    except (CalamineError, OSError, ValueError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> InvalidInput:
    locked = "password" in str(error).lower()
    fix = "Remove its password first." if locked else "Save it again as .xlsx, or as CSV."
    return InvalidInput(f"The workbook cannot be read ({error}). {fix}")


def _text(cell: Any) -> str:
    return str(_plain(cell)) if cell not in ("", None) else ""


def _plain(cell: Any) -> Any:
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, datetime.timedelta):
        return cell.total_seconds()
    return str(cell) if isinstance(cell, datetime.time) else cell

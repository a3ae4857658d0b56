"""Which layout a file has, by what is in it."""

from __future__ import annotations

from pathlib import Path

from studio.capture.importers.layouts.array import JsonArray, start_of_list
from studio.capture.importers.layouts.lines import BOM, JsonLines, lines, object_of
from studio.capture.importers.layouts.port import Layout
from studio.capture.importers.layouts.table import SNIFFED, DelimitedTable, separator_of
from studio.errors import InvalidInput

PARQUET = b"PAR1"
ZIPPED = b"PK\x03\x04"
OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
FORMS = "JSON lines, a JSON array, CSV, TSV, Parquet and Excel"
OTHERS = (
    (b"%PDF", "This is a PDF file."),
    (b"SQLite format 3\x00", "This is a SQLite database. Export its table as CSV first."),
    (b"ARROW1", "This is an Arrow file. Write it as Parquet first."),
    (b"7z\xbc\xaf", "This is a 7-Zip archive. Pack the files as .zip or .gz instead."),
    (b"Rar!", "This is a RAR archive. Pack the files as .zip or .gz instead."),
    (b"\x89PNG", "This is a picture."),
)


def layout_of(path: Path) -> Layout:
    """The layout of a file that is unpacked and UTF-8. Raises InvalidInput with the fix where there is none."""
    with path.open("rb") as file:
        head = file.read(SNIFFED)
    if head.startswith(PARQUET):
        from studio.capture.importers.layouts.parquet import ParquetTable

        return ParquetTable(path)
    if head.startswith((ZIPPED, OLD_EXCEL)):
        from studio.capture.importers.layouts.sheet import SheetTable

        return SheetTable(path)
    for magic, what in OTHERS:
        if head.startswith(magic):
            raise InvalidInput(f"{what} What can be imported: {FORMS}.")
    return _of_text(path, head)


def _of_text(path: Path, head: bytes) -> Layout:
    text = head.removeprefix(BOM).lstrip()
    if not text:
        raise InvalidInput("The file is empty, or holds only blank lines. Choose a file with at least one row.")
    if text.startswith(b"["):
        return JsonArray(path, head.index(b"[") + 1)
    if text.startswith(b"{"):
        return _of_objects(path)
    if b"\x00" in head:
        raise InvalidInput(f"The file is not text, and of no kind that can be read. What can be imported: {FORMS}.")
    if separator := separator_of(head):
        return DelimitedTable(path, separator)
    raise InvalidInput(f"The file has no rows that can be recognised. What can be imported: {FORMS}.")


def _of_objects(path: Path) -> Layout:
    """JSON lines where lines are objects; else objects that span lines, or one with a list of rows inside."""
    with path.open("rb") as stream:
        first = [line for _, line in zip(range(20), lines(stream), strict=False)]
    whole = [line for line in first if line.text and line.text[:1] == b"{" and object_of(line.text)[0] is not None]
    alone = len(first) == 1 or first[0] not in whole
    if alone and (start := start_of_list(path)) is not None:
        return JsonArray(path, start)
    is_lines = first[0] in whole or any(_at_margin(path, line.text) for line in whole[:1] if line.text)
    return JsonLines(path) if is_lines else JsonArray(path)


def _at_margin(path: Path, text: bytes) -> bool:
    """Whether the line is not indented, as lines inside of an object are."""
    with path.open("rb") as stream:
        return b"\n" + text[:200] in stream.read(SNIFFED)

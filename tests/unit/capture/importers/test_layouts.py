"""However rows lie in a file, all good ones are read, bad ones are told apart, and reading goes on behind any row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.capture.importers.layouts import array, lines, table
from studio.capture.importers.layouts.array import JsonArray, elements
from studio.capture.importers.layouts.catalog import layout_of
from studio.capture.importers.layouts.lines import JsonLines
from studio.capture.importers.layouts.port import START, Layout, Place, Raw
from studio.capture.importers.layouts.table import DelimitedTable
from studio.errors import InvalidInput
from tests.unit.capture.importers.workbooks import workbook

ROWS = [{"question": f'Q{n}, "so\nto say" {{[', "answer": f"A{n} ü€\\", "n": str(n)} for n in range(60)]


def as_lines(path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS))


def as_array(path: Path) -> None:
    path.write_text(json.dumps(ROWS, indent=2))


def as_data(path: Path) -> None:
    path.write_text(json.dumps({"meta": {"rows": [1]}, "object": "list", "data": ROWS, "has_more": False}))


def as_objects(path: Path) -> None:
    path.write_text("\n".join(json.dumps(row, indent=1) for row in ROWS))


def as_table(path: Path, separator: str) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(ROWS)


def as_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=7)


def as_workbook(path: Path) -> None:
    workbook(path, {"Notes": [], "Calls": [list(ROWS[0]), *[list(row.values()) for row in ROWS]]})


WRITERS: dict[str, Callable[[Path], None]] = {
    "lines": as_lines,
    "array": as_array,
    "data": as_data,
    "objects": as_objects,
    "csv": lambda path: as_table(path, ","),
    "tsv": lambda path: as_table(path, "\t"),
    "semicolons": lambda path: as_table(path, ";"),
    "bars": lambda path: as_table(path, "|"),
    "parquet": as_parquet,
    "excel": as_workbook,
}


def read(layout: Layout, place: Place = START) -> list[Raw]:
    return list(layout.rows(place))


@pytest.mark.parametrize("form", WRITERS)
def test_every_layout_is_recognised_and_reads_the_same_rows(tmp_path: Path, form: str) -> None:
    WRITERS[form](tmp_path / "file")
    layout = layout_of(tmp_path / "file")
    assert [raw.data for raw in read(layout)] == ROWS
    assert layout.columns == ([] if form in ("lines", "array", "data", "objects") else list(ROWS[0]))


@pytest.mark.parametrize("form", WRITERS)
def test_reading_goes_on_behind_any_row(tmp_path: Path, form: str) -> None:
    WRITERS[form](tmp_path / "file")
    whole = read(layout_of(tmp_path / "file"))
    for at in (0, 1, 6, 7, 30, 59):
        rest = read(layout_of(tmp_path / "file"), Place(whole[at].end, whole[at].number))
        assert [(raw.data, raw.end, raw.number) for raw in rest] == [
            (raw.data, raw.end, raw.number) for raw in whole[at + 1 :]
        ]


@pytest.mark.parametrize("form", WRITERS)
def test_positions_grow_up_to_the_size(tmp_path: Path, form: str) -> None:
    WRITERS[form](tmp_path / "file")
    layout = layout_of(tmp_path / "file")
    ends = [raw.end for raw in read(layout)]
    assert ends == sorted(set(ends)) and ends[-1] <= layout.size + (form == "excel")


def test_a_broken_element_does_not_take_its_neighbours_with_it(tmp_path: Path) -> None:
    good = json.dumps({"a": [1, {"b": "]}"}]})
    (tmp_path / "a.json").write_text(f'[{good}, {{"a": nope}}, {good}, {{"a": 1,}}, {good}]  trailing')
    found = read(layout_of(tmp_path / "a.json"))
    assert [raw.data is not None for raw in found] == [True, False, True, False, True]
    assert [raw.number for raw in found] == [1, 2, 3, 4, 5] and "Not valid JSON" in found[1].error


def test_an_array_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(ROWS)[:-40])
    found = read(layout_of(tmp_path / "a.json"))
    assert [raw.data for raw in found[:-1]] == ROWS[:-1] and "never closed" in found[-1].error


def test_an_element_beyond_the_limit_is_refused_and_the_next_one_read() -> None:
    long = json.dumps({"a": "x" * 5000, "b": ['"' * 100, {}]})
    text = f'[{{"n": 1}}, {long}, {{"n": 2}}]'.encode()
    found = list(elements(io.BytesIO(text), 0, longest=1000))
    assert json.loads(found[0][0] or b"") == {"n": 1}
    assert json.loads(found[-1][0] or b"") == {"n": 2} and text[: found[-1][1]].endswith(b"}")


def test_a_quotation_mark_that_is_never_closed_costs_its_own_row_only(tmp_path: Path) -> None:
    text = 'q,a\n1,x\n2,"oops\n3,y\n4,"two\nlines"\n5,z\n'
    (tmp_path / "t.csv").write_text(text)
    found = read(layout_of(tmp_path / "t.csv"))
    assert [raw.data for raw in found if raw.data] == [
        {"q": "1", "a": "x"},
        {"q": "3", "a": "y"},
        {"q": "4", "a": "two\nlines"},
        {"q": "5", "a": "z"},
    ]
    assert [(raw.number, "never closed" in raw.error) for raw in found if not raw.data] == [(3, True)]


def test_rows_with_too_many_cells_or_foreign_bytes_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"q,a\n1,x\n2,x,y\n3\n\n4,\xff\n5,\xc3\xbc\n")
    found = read(layout_of(tmp_path / "t.csv"))
    assert [raw.data for raw in found if raw.data] == [{"q": "1", "a": "x"}, {"q": "3"}, {"q": "5", "a": "ü"}]
    assert "3 cells" in found[1].error and found[1].number == 3 and "UTF-8" in found[3].error


def test_columns_without_a_name_or_with_the_same_one_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\ufeffq,,q,a\n1,2,3,4\n")
    layout = layout_of(tmp_path / "t.csv")
    assert layout.columns == ["q", "column 2", "q (2)", "a"] and next(iter(layout.rows())).data == {
        "q": "1",
        "column 2": "2",
        "q (2)": "3",
        "a": "4",
    }


def test_json_lines_whose_first_line_is_broken_are_still_lines(tmp_path: Path) -> None:
    (tmp_path / "l").write_text('{"messages": [\n{"a": 1}\n{"a": 2}\n')
    assert isinstance(layout_of(tmp_path / "l"), JsonLines)
    (tmp_path / "o").write_text('{\n  "messages": [\n    {"role": "user"}\n  ]\n}\n')
    assert isinstance(layout_of(tmp_path / "o"), JsonArray)
    assert [raw.data for raw in read(layout_of(tmp_path / "o"))] == [{"messages": [{"role": "user"}]}]


def test_the_kinds_of_parquet_and_excel_values_arrive_as_what_they_are(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    at = datetime(2026, 3, 1, 10, tzinfo=UTC)
    messages = [{"role": "user", "content": "Hi"}]
    pq.write_table(pa.table({"at": [at], "m": [messages], "x": [None], "b": [b"raw"], "f": [0.5]}), tmp_path / "p")
    (raw,) = read(layout_of(tmp_path / "p"))
    assert raw.data == {"at": at, "m": messages, "x": None, "b": "raw", "f": 0.5}
    workbook(tmp_path / "x", {"S": [["n", "t", "flag"], [3, "three", True], ["", "", ""], [4.5, "four", False]]})
    found = read(layout_of(tmp_path / "x"))
    assert [raw.data for raw in found] == [{"n": 3, "t": "three", "flag": True}, {"n": 4.5, "t": "four", "flag": False}]
    assert [raw.number for raw in found] == [2, 4]


def test_damaged_files_of_a_known_kind_are_explained(tmp_path: Path) -> None:
    as_parquet(tmp_path / "p")
    (tmp_path / "p").write_bytes((tmp_path / "p").read_bytes()[:-30])
    with pytest.raises(InvalidInput, match="Parquet file cannot be read"):
        layout_of(tmp_path / "p")
    (tmp_path / "old").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600)
    with pytest.raises(InvalidInput, match="workbook cannot be read"):
        layout_of(tmp_path / "old")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=6)


@given(OBJECTS, st.integers(1, 7), st.booleans())
def test_any_array_is_split_into_its_elements_wherever_reads_cut_it(
    rows: list[dict[str, Any]], at_once: int, ascii_only: bool
) -> None:
    text = json.dumps(rows, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    before, array.READ = array.READ, at_once
    try:
        found = list(elements(io.BytesIO(text[1:]), 1))
    finally:
        array.READ = before
    assert [json.loads(part or b"") for part, _ in found] == rows
    assert all(text[:end].endswith(b"}") for _, end in found)


@given(st.binary(max_size=300))
def test_whatever_is_in_a_file_rows_or_errors_come_out(text: bytes) -> None:
    for part, end in elements(io.BytesIO(text), 0):
        assert part is None or end <= len(text)
    for line in lines.lines(io.BytesIO(text)):
        assert line.end <= len(text)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_any_table_that_a_csv_writer_writes_is_read_back(rows: list[list[str]], separator: str) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(["a", "b", "c"])
        writer.writerows(rows)
        file.flush()
        found = read(DelimitedTable(Path(file.name), separator))
    assert [list((raw.data or {}).values()) for raw in found] == rows


@given(st.binary(max_size=200))
def test_no_table_is_too_broken_to_be_read(text: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(b"a,b\n" + text)
        file.flush()
        found = read(DelimitedTable(Path(file.name), ","))
    assert all(raw.data is not None or raw.error for raw in found)
    assert table.separator_of(text) in (None, ",", ";", "\t", "|")

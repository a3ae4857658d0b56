"""Packed files and archives are unpacked with care; texts in any encoding become UTF-8."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import stat
import zipfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.capture.importers import limits
from studio.capture.importers.unpack import encoding_of, unpack
from studio.capture.importers.unzip import checked_size, extract, opened
from studio.errors import InvalidInput, StorageFull
from tests.unit.capture.importers.conftest import ANSWER, USER, Importer
from tests.unit.capture.importers.workbooks import workbook

TEXT = "".join(json.dumps({"messages": [{**USER, "content": f"Q{n}"}, ANSWER]}) + "\n" for n in range(5)).encode()


def zstd(text: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(text, asbytes=True))


PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd}


def archive(path: Path, **files: bytes) -> Path:
    with ZipFile(path, "w", ZIP_DEFLATED) as made:
        for name, text in files.items():
            made.writestr(name, text)
    return path


@pytest.mark.parametrize("kind", PACKERS)
def test_packed_files_are_imported_whatever_they_are_called(tmp_path: Path, run_import: Importer, kind: str) -> None:
    (tmp_path / "logs.bin").write_bytes(PACKERS[kind](TEXT))
    assert run_import(tmp_path / "logs.bin")["imported"] == 5


@pytest.mark.parametrize("kind", PACKERS)
def test_packed_files_in_several_pieces_are_read_to_the_end(tmp_path: Path, kind: str) -> None:
    pack = PACKERS[kind]
    (tmp_path / "f").write_bytes(pack(TEXT) + pack(TEXT))
    (part,) = unpack(tmp_path / "f", "calls.jsonl." + kind, tmp_path / "out")
    assert part.path.read_bytes() == TEXT * 2 and part.name == "calls.jsonl" and "Unpacked" in part.note


@pytest.mark.parametrize("kind", PACKERS)
def test_a_packed_file_that_breaks_off_is_explained(tmp_path: Path, kind: str) -> None:
    (tmp_path / "f").write_bytes(PACKERS[kind](TEXT * 50)[:-9])
    with pytest.raises(InvalidInput, match="damaged"):
        unpack(tmp_path / "f", "f", tmp_path / "out")


@pytest.mark.parametrize("kind", PACKERS)
def test_bombs_are_refused_before_they_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(limits, "HARMLESS", 1 << 20)
    (tmp_path / "f").write_bytes(PACKERS[kind](bytes(20 << 20)))
    with pytest.raises(InvalidInput, match="times when it is unpacked"):
        unpack(tmp_path / "f", "f", tmp_path / "out")
    assert (tmp_path / "out" / "unpacked").stat().st_size < 5 << 20


def test_a_file_packed_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(gzip.compress(bz2.compress(TEXT)))
    with pytest.raises(InvalidInput, match="more than once"):
        unpack(tmp_path / "f", "f", tmp_path / "out")


def test_each_file_of_an_archive_is_read_as_what_it_is(tmp_path: Path, run_import: Importer) -> None:
    workbook(tmp_path / "w", {"S": [["question", "answer"], ["Q?", "A!"]]})
    made = archive(
        tmp_path / "b.zip",
        calls=TEXT,
        **{"folder/table": b"question,answer\nwhat,that\n,empty\n"},
        book=(tmp_path / "w").read_bytes(),
        readme=b"words alone",
        **{"__MACOSX/x": b"\x00\x05"},
    )
    result = run_import(made)
    assert (result["imported"], result["errors"]) == (7, 2)
    assert {(error["file"], error["line"]) for error in result["first_errors"]} == {("folder/table", 3), ("readme", 0)}


def member(name: str, mode: int = 0) -> ZipInfo:
    info = ZipInfo(name)
    info.external_attr = mode << 16
    return info


HOSTILE = [
    *[(member(name), b"x", "leads out") for name in ("../up", "a/../../up", "/etc/passwd", "..\\up", "C:/x", "C:\\x")],
    (member("link", stat.S_IFLNK | 0o777), b"/etc/passwd", "a link"),
    (member("pipe", stat.S_IFIFO | 0o600), b"", "a link or a device"),
    (member("inner.zip"), b"x", "another packed file"),
    (member("inner.tar"), b"x", "another packed file"),
    (member("calls.txt"), gzip.compress(TEXT), "packed again"),
    (member("innocent"), b"PK\x03\x04" + b"x" * 60, "damaged"),
]


@pytest.mark.parametrize(("info", "text", "why"), HOSTILE, ids=[f"{info.filename}" for info, _, _ in HOSTILE])
def test_archives_that_are_not_to_be_trusted_are_refused(tmp_path: Path, info: ZipInfo, text: bytes, why: str) -> None:
    with ZipFile(tmp_path / "z", "w") as made:
        made.writestr("good.jsonl", TEXT)
        made.writestr(info, text)
    with pytest.raises(InvalidInput, match=why):
        unpack(tmp_path / "z", "z", tmp_path / "home" / "out")
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {"z"}
    assert all(name.startswith("part-") for name in written)


def test_archives_with_too_many_files_none_or_a_password_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.capture.importers import unzip

    monkeypatch.setattr(unzip, "MOST_FILES", 3)
    for made, why in [
        (archive(tmp_path / "many", a=b"", b=b"", c=b"", d=b""), "4 entries"),
        (archive(tmp_path / "none"), "no file"),
    ]:
        with pytest.raises(InvalidInput, match=why):
            unpack(made, "z", tmp_path / "out")
    locked = bytearray(archive(tmp_path / "locked", calls=TEXT).read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + place] |= 1
    (tmp_path / "locked").write_bytes(locked)
    with pytest.raises(InvalidInput, match="password"):
        unpack(tmp_path / "locked", "z", tmp_path / "out")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_is_told_as_that_and_not_as_a_damaged_archive(tmp_path: Path) -> None:
    with pytest.raises(StorageFull), opened(archive(tmp_path / "z", calls=bytes(1 << 20))) as found:
        extract(found, found.infolist()[0], Path("/dev/full"), limits.Budget(1 << 20))


def test_a_zip_bomb_is_counted_on_what_comes_out_and_not_on_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HARMLESS", 1 << 20)
    bomb = archive(tmp_path / "bomb", calls=bytes(20 << 20))
    with pytest.raises(InvalidInput, match="refused"):
        unpack(bomb, "z", tmp_path / "out")
    many = archive(tmp_path / "many", **{f"f{n}": bytes(300_000) for n in range(40)})
    with pytest.raises(InvalidInput, match="refused"):
        unpack(many, "z", tmp_path / "out2")
    workbook(tmp_path / "book", {"S": [["a", "b"], ["1", "2"]]})
    with ZipFile(tmp_path / "book", "a", ZIP_DEFLATED) as made:
        made.writestr("xl/worksheets/sheet9.xml", bytes(20 << 20))
    with pytest.raises(InvalidInput, match="refused"):
        checked_size(tmp_path / "book", 1 << 30)


@given(st.binary(max_size=400))
def test_no_damaged_archive_is_anything_but_refused(noise: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for magic in (b"PK\x03\x04", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh9", b"\xfd7zXZ\x00"):
            (Path(folder) / "f").write_bytes(magic + noise)
            with pytest.raises(InvalidInput):
                unpack(Path(folder) / "f", "f", Path(folder) / "out")


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "Read as UTF-16."),
        ("utf-16-le", "Read as UTF-16."),
        ("utf-16-be", "Read as UTF-16."),
        ("cp1252", "Read as Latin-1 (Windows-1252)."),
    ],
)
def test_tables_in_any_encoding_keep_their_letters(
    tmp_path: Path, run_import: Importer, encoding: str, told: str
) -> None:
    text = "Frage;Antwort\r\n" + "".join(f"Wo ist die Tür {n} bitte?;„Größe“ für 5 € täglich\r\n" for n in range(30))
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    (part,) = unpack(tmp_path / "t.csv", "t.csv", tmp_path / "out")
    assert part.note == told
    run_import(tmp_path / "t.csv", format="columns", mapping={"prompt": ["Frage"], "reply": ["Antwort"]})
    first = run_import.calls()[0]
    assert (first.prompt_text, first.reply_text) == ("Wo ist die Tür 0 bitte?", "„Größe“ für 5 € täglich")


def test_a_few_foreign_bytes_do_not_make_a_utf8_file_another_one() -> None:
    assert encoding_of("größer ".encode() * 100 + b"\xff\xfe") is None
    assert encoding_of("größer ".encode("cp1252") * 100) == "cp1252"
    assert encoding_of(b"PK\x03\x04\xff\x00") is None and encoding_of(b"") is None


def test_a_preview_unpacks_no_more_than_it_shows(tmp_path: Path) -> None:
    (tmp_path / "big.gz").write_bytes(gzip.compress(TEXT * 20_000))
    (part,) = unpack(tmp_path / "big.gz", "big.gz", tmp_path / "out", most=100_000)
    assert part.path.stat().st_size <= 100_008
    assert zipfile.is_zipfile(archive(tmp_path / "z", calls=TEXT * 20_000))
    (part,) = unpack(tmp_path / "z", "z", tmp_path / "out2", most=100_000)
    assert part.path.stat().st_size == 100_000

"""Files as they come (packed, bundled, in any encoding) made plain UTF-8 files, streamed through the disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from studio.capture.importers.layouts.catalog import OLD_EXCEL, PARQUET
from studio.capture.importers.limits import Budget, damage
from studio.capture.importers.unzip import copy, extract, is_workbook, members, opened
from studio.errors import InvalidInput

GZIP, ZSTD, BZIP2, XZ, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"
PACKED = {GZIP: "gzip", ZSTD: "zstd", BZIP2: "bzip2", XZ: "xz"}
XZ_MEMORY = 256 << 20
KEEP_FREE = 200 << 20
AT_ONCE = 1 << 20
SNIFFED = 1 << 20
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, pa.ArrowException, ValueError)


@dataclass(frozen=True)
class Part:
    """A plain file, and what it is called."""

    path: Path
    name: str
    note: str = ""


def unpack(path: Path, name: str, folder: Path, most: int = 0) -> list[Part]:
    """The plain files in a file. Those that are plain already stay where they are; the others go into `folder`.

    With `most`, no more than the first bytes of each text. Raises InvalidInput for what cannot be trusted or read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    budget = Budget(path.stat().st_size, most=max(shutil.disk_usage(folder).free - KEEP_FREE, 0) or 1)
    with path.open("rb") as file:
        head = file.read(6)
    if head.startswith(EMPTY_ZIP):
        raise InvalidInput("The archive holds no file. Put the files of calls into it.")
    if head.startswith(ZIP) and not is_workbook(path):
        return _unzipped(path, folder, budget, most)
    packed = next((kind for magic, kind in PACKED.items() if head.startswith(magic)), None)
    if packed is None:
        return [_as_utf8(Part(path, name), folder, most)]
    inner = Part(folder / "unpacked", name.rsplit(".", 1)[0] if "." in name else name, f"Unpacked from {packed}.")
    _decompress(path, packed, inner.path, budget, most)
    if _is_packed(inner.path):
        raise InvalidInput("The file is packed more than once. Unpack it, then import what is inside.")
    return [_as_utf8(inner, folder, most)]


def _unzipped(path: Path, folder: Path, budget: Budget, most: int) -> list[Part]:
    parts = []
    with opened(path) as archive:
        for number, info in enumerate(members(archive)):
            part = Part(folder / f"part-{number:04}", info.filename)
            with archive.open(info) as file:
                whole = file.read(8).startswith((PARQUET, ZIP, OLD_EXCEL))
            extract(archive, info, part.path, budget, 0 if whole else most)
            if _is_packed(part.path):
                raise InvalidInput(f"{info.filename[:120]!r} in the archive is packed again. Put it in unpacked.")
            parts.append(_as_utf8(part, folder, most))
    return parts


def _is_packed(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(6)
    return head.startswith(tuple(PACKED)) or (head.startswith(ZIP) and not is_workbook(path))


def _decompress(path: Path, kind: str, target: Path, budget: Budget, most: int) -> None:
    with _readable(), _stream(path, kind) as packed, target.open("wb") as file:
        head = packed.read(8)
        budget.take(len(head))
        file.write(head)
        copy(packed, file, budget, 0 if head.startswith((PARQUET, ZIP, OLD_EXCEL)) else most)


@contextmanager
def _stream(path: Path, kind: str) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        openers: dict[str, Any] = {
            "gzip": lambda: gzip.GzipFile(fileobj=file),
            "bzip2": lambda: bz2.BZ2File(file),
            "xz": lambda: _Xz(file),
            "zstd": lambda: pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd"),
        }
        with openers[kind]() as stream:
            yield stream


class _Xz:
    """An xz stream that may not ask for more memory than is sensible."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.inner = lzma.LZMADecompressor(memlimit=XZ_MEMORY)

    def __enter__(self) -> _Xz:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of its own to close."""

    def read(self, most: int) -> bytes:
        """At most so many bytes; b"" at the end."""
        while True:
            if self.inner.eof:
                rest = self.inner.unused_data.lstrip(b"\x00") or self.file.read(AT_ONCE).lstrip(b"\x00")
                if not rest:
                    return b""
                self.inner = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
                found = self.inner.decompress(rest, most)
            else:
                fresh = self.file.read(AT_ONCE) if self.inner.needs_input else b""
                if not fresh and self.inner.needs_input:
                    raise EOFError("the end is missing")
                found = self.inner.decompress(fresh, most)
            if found:
                return found


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise damage(error, "packed file") from error


def _as_utf8(part: Part, folder: Path, most: int) -> Part:
    """The part itself where it is UTF-8 or no text; else a copy in UTF-8."""
    with part.path.open("rb") as file:
        head = file.read(SNIFFED)
    encoding = encoding_of(head)
    if encoding is None:
        return part
    target = folder / f"{part.path.name}.utf8"
    source = part.path.open(encoding=encoding, errors="replace", newline="")
    with source as stream, target.open("w", encoding="utf-8", newline="") as plain:
        written = 0
        while (text := stream.read(AT_ONCE)) and not (most and written >= most):
            plain.write(text.removeprefix("\ufeff") if not written else text)
            written += len(text)
    return Part(target, part.name, f"{part.note} Read as {NAMES[encoding]}.".strip())


NAMES = {"utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "cp1252": "Latin-1 (Windows-1252)"}


def encoding_of(head: bytes) -> str | None:
    """The encoding of a text that is not UTF-8; None for one that is, and for what is no text."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head.startswith((PARQUET, ZIP, OLD_EXCEL)):
        return None
    if (wide := _wide(head)) is not None:
        return wide
    if b"\x00" in head[:4096] or _is_utf8(head):
        return None
    return "cp1252"


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of its beginning is zero."""
    start = head[:400]
    start = start[: len(start) // 2 * 2]
    if len(start) < 4 or b"\x00" not in start:
        return None
    even, odd = start[::2].count(0), start[1::2].count(0)
    half = len(start) // 2
    if odd > 0.6 * half and even < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 * half and odd < 0.1 * half else None


def _is_utf8(head: bytes) -> bool:
    """Whether it is UTF-8 but for a few odd places, which spoil their own rows and not the whole file."""
    text = head.decode("utf-8", "surrogateescape")
    odd = sum("\udc80" <= char <= "\udcff" for char in text) if not text.isascii() else 0
    beyond = sum(char > "\x7f" for char in text) - odd if odd else 0
    return odd <= 4 or odd < beyond

"""Files as a zip: the same bytes for the same files, written a piece at a time."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from io import BytesIO
from typing import IO

from studio.train.takeaway.port import Content, Files

LONG_AGO = (1980, 1, 1, 0, 0, 0)
READABLE = 0o644 << 16


def write_zip(files: Files, folder: str, out: IO[bytes]) -> None:
    """Write the files under one folder, in the order of their names, all of the same date."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{folder}/{name}", LONG_AGO)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, READABLE
            with archive.open(entry, "w", force_zip64=True) as stream:
                for piece in pieces(files[name]):
                    stream.write(piece)


def zipped(files: Files, folder: str) -> bytes:
    """The zip in memory."""
    out = BytesIO()
    write_zip(files, folder, out)
    return out.getvalue()


def pieces(content: Content) -> Iterable[bytes]:
    """A file's bytes, a piece at a time."""
    return (content,) if isinstance(content, bytes) else content()

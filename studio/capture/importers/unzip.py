"""Zip archives from strangers: names that lead elsewhere, links, locked and nested archives and bombs are refused.

Members are written under names of our own, so that no name in the archive can ever be a path.
"""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from studio.capture.importers.limits import MOST_BYTES, MOST_FILES, Budget, damage
from studio.errors import InvalidInput

NESTED = (".zip", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".tar", ".tgz")
NOISE = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
AT_ONCE = 1 << 20
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError, ValueError)
"""NotImplementedError is what zipfile raises for a way of packing that it does not know."""


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive. Raises InvalidInput where it is damaged, StorageFull where what is unpacked finds no room."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except RuntimeError as error:  # what zipfile raises for a member with a password
        raise InvalidInput("The archive is locked with a password. Unpack it, then import the files.") from error
    except DAMAGED as error:
        raise damage(error, "archive") from error


def is_workbook(path: Path) -> bool:
    """Whether a zip file is an Excel or OpenDocument table."""
    with opened(path) as archive:
        names = set(archive.namelist())
    return any(name.startswith("xl/") for name in names) or ("content.xml" in names and "mimetype" in names)


def members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files to import. Raises InvalidInput for an archive that is not to be trusted."""
    found = archive.infolist()
    if len(found) > MOST_FILES:
        raise InvalidInput(f"The archive holds {len(found):,} entries; {MOST_FILES:,} can be imported. Split it.")
    kept = [info for info in found if not info.is_dir() and not _is_noise(info.filename)]
    for info in kept:
        _check(info)
    if not kept:
        raise InvalidInput("The archive holds no file. Put the files of calls into it.")
    return kept


def extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, budget: Budget, most: int = 0) -> None:
    """Write one member to `target`, counting; with `most`, no more than its first bytes."""
    with archive.open(info) as packed, target.open("wb") as file:
        copy(packed, file, budget, most)


def copy(packed: IO[bytes], file: IO[bytes], budget: Budget, most: int = 0) -> None:
    """Write what comes out of `packed`, counting."""
    written = 0
    while chunk := packed.read(min(AT_ONCE, most - written) if most else AT_ONCE):
        budget.take(len(chunk))
        file.write(chunk)
        written += len(chunk)
        if most and written >= most:
            return


def checked_size(path: Path, most: int) -> None:
    """Read through a workbook and count. Raises InvalidInput when it is a bomb, damaged or too large."""
    if not zipfile.is_zipfile(path):
        if path.stat().st_size > most:
            raise InvalidInput(f"The workbook is larger than {most >> 20} MB. Save it as CSV.")
        return
    budget = Budget(path.stat().st_size, most=min(most, MOST_BYTES))
    with opened(path) as archive:
        for info in archive.infolist()[: MOST_FILES * 10]:
            with archive.open(info) as packed:
                while chunk := packed.read(AT_ONCE):
                    budget.take(len(chunk))


def _check(info: zipfile.ZipInfo) -> None:
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or ":" in name[:3] or ".." in PurePosixPath(name).parts or "\x00" in name:
        raise InvalidInput(f"The archive holds {name[:120]!r}, a name that leads out of it. It is refused.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise InvalidInput(f"The archive holds {name[:120]!r}, a link or a device. It is refused.")
    if name.lower().endswith(NESTED):
        raise InvalidInput(f"The archive holds another packed file, {name[:120]!r}. Put the unpacked files into it.")


def _is_noise(name: str) -> bool:
    return name.startswith(NOISE[0]) or PurePosixPath(name).name in NOISE or PurePosixPath(name).name.startswith("._")

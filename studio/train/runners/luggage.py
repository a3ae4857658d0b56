"""What travels: the run's folder and the studio's own source there, and only plain results back."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import studio
from studio.errors import InvalidInput, Unavailable
from studio.train import recipe as recipes
from studio.train.runners.far_end import RESULTS

SOURCE = Path(studio.__file__).parent.parent
CODE, RUN = "code", "run"
LEFT_BEHIND = {"ui", "demo", "argilla_server", "migrations", "gateway", "__pycache__"}
NOT_SENT = ("attempts", "upload", "download", "place.json")
NEVER_SENT = {recipes.OUTPUT, recipes.ADAPTER, recipes.MERGED, recipes.PREPARED, *NOT_SENT}
OURS = (".py", ".json", ".jinja", ".yaml")
PLAIN = (".safetensors", ".json", ".jsonl", ".txt", ".jinja", ".model", ".md", ".yaml")
KNOWN = {(name,) for name in RESULTS}
EPOCH = (1980, 1, 1, 0, 0, 0)


def source_files() -> Iterator[tuple[Path, str]]:
    """The studio's own modules, so that the place runs this very version."""
    for package in ("studio", "storage"):
        for path in sorted((SOURCE / package).rglob("*")):
            name = path.relative_to(SOURCE)
            if path.suffix in OURS and not LEFT_BEHIND & set(name.parts):
                yield path, str(name)


def run_files(folder: Path, without_base: bool = False) -> Iterator[tuple[Path, str]]:
    """What the job reads: recipe, rows, base, and the events so far."""
    skipped = NEVER_SENT | ({recipes.BASE} if without_base else set())
    for entry in sorted(folder.iterdir()):
        if entry.name in skipped or entry.name.startswith("."):
            continue
        found = sorted(entry.rglob("*")) if entry.is_dir() else [entry]
        yield from ((path, str(path.relative_to(folder))) for path in found if path.is_file())


def size_of(folder: Path, without_base: bool = False) -> int:
    """Bytes that would be sent."""
    return sum(path.stat().st_size for path, _name in run_files(folder, without_base))


def packed(folder: Path, handle: str, without_base: bool = False) -> bytes:
    """Everything as one zip, byte for byte the same each time it is made for this attempt."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(zipfile.ZipInfo("handle", EPOCH), handle)
        for prefix, files in ((CODE, source_files()), (RUN, run_files(folder, without_base))):
            for path, name in files:
                archive.writestr(zipfile.ZipInfo(f"{prefix}/{name}", EPOCH), path.read_bytes())
    return buffer.getvalue()


def digest(package: bytes) -> str:
    """A name for these bytes."""
    return hashlib.sha256(package).hexdigest()[:32]


def unpack_results(package: bytes, folder: Path) -> None:
    """Lay results out in the run's folder; nothing but plain files of known names, nothing that runs code."""
    try:
        with zipfile.ZipFile(io.BytesIO(package)) as archive:
            for entry in archive.infolist():
                place_result(folder, entry.filename, archive.read(entry))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Unavailable("What the place sent back is damaged. Press Retry to fetch it again.") from error


def copy_results(source: Path, folder: Path) -> None:
    """The same from a folder that both sides see."""
    for name in RESULTS:
        found = source / name
        if found.is_symlink():
            continue
        for path in [found] if found.is_file() else sorted(found.rglob("*")):
            if path.is_file() and not path.is_symlink():
                place_result(folder, str(path.relative_to(source)), path)


def place_result(folder: Path, name: str, content: bytes | Path) -> None:
    """Put one file where it belongs. Raises InvalidInput for a name that a job of ours never makes."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or pure.parts[:1] not in KNOWN:
        raise InvalidInput(f"The place sent a file that does not belong to a run: {name}. Nothing was imported.")
    if pure.suffix not in PLAIN:
        return
    target = folder / pure
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, target)
    else:
        target.write_bytes(content)

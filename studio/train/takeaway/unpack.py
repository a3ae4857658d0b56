"""What somebody trained elsewhere, laid out safely: no path climbs out, no link, no bomb, and nothing pickled."""

from __future__ import annotations

import json
import lzma
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from studio.errors import InvalidInput, StorageFull
from studio.train.takeaway.tensors import names_of

MOST_FILES, MOST_BYTES, CHUNK = 5_000, 200 << 30, 1 << 20
KEPT = frozenset({".json", ".safetensors", ".jinja", ".txt", ".model", ".md"})
"""Kinds of file that are read; everything else stays outside."""
PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})
UNREADABLE = (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, lzma.LZMAError)
"""What zipfile raises for a zip that is torn or odd."""
CLASH = (FileExistsError, NotADirectoryError, IsADirectoryError)
ADAPTER, CONFIG = "adapter_config.json", "config.json"


def unpack(source: Path, out: Path) -> Path:
    """Copy what can be read of a zip or folder into `out`, and return the folder of the model in it.

    Raises InvalidInput with the reason when it holds none, or only weights that could run code.
    """
    out.mkdir(parents=True, exist_ok=True)
    seen = list(_from_folder(source, out) if source.is_dir() else _from_zip(source, out))
    return _model_in(out, seen)


def _from_zip(source: Path, out: Path) -> Iterator[str]:
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            _refuse_too_much(len(entries), sum(entry.file_size for entry in entries), out)
            for entry in entries:
                path = _safe(entry.filename)
                _refuse_odd(entry)
                if not entry.is_dir():
                    yield str(path)
                    if path.suffix.lower() in KEPT:
                        with archive.open(entry) as stream:
                            _copied(stream, out / path, entry.file_size)
    except CLASH as error:
        raise InvalidInput(
            "The zip holds one name both as a file and as a folder. Zip the model's folder again."
        ) from error
    except UNREADABLE as error:
        raise InvalidInput(f"This is not a zip that can be read ({error}). Zip the model's folder again.") from error


def _from_folder(source: Path, out: Path) -> Iterator[str]:
    paths = sorted(source.rglob("*"))
    if any(path.is_symlink() for path in paths):
        raise InvalidInput("The folder holds symbolic links. Copy the files themselves into it.")
    files = [path for path in paths if path.is_file()]
    _refuse_too_much(len(files), sum(path.stat().st_size for path in files), out)
    for path in files:
        name = path.relative_to(source)
        yield str(name)
        if path.suffix.lower() in KEPT:
            with path.open("rb") as stream:
                _copied(stream, out / name, path.stat().st_size)


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or "\x00" in name:
        raise InvalidInput(f"The zip holds a path that leads outside of it: {name[:80]!r}. It was not opened.")
    return path


def _refuse_odd(entry: zipfile.ZipInfo) -> None:
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InvalidInput(f"The zip holds a symbolic link: {entry.filename[:80]!r}. Zip the files themselves.")
    if entry.flag_bits & 0x1:
        raise InvalidInput("The zip is locked with a password. Zip the model's folder without one.")


def _refuse_too_much(files: int, size: int, out: Path) -> None:
    if files > MOST_FILES:
        raise InvalidInput(f"This holds {files:,} files; a model has a few dozen. Zip the model's folder only.")
    if size > MOST_BYTES:
        raise InvalidInput(f"This unpacks to {size >> 30:,} GB; {MOST_BYTES >> 30} GB is the most that is taken.")
    if size > shutil.disk_usage(out).free:
        raise StorageFull(
            f"This unpacks to {max(1, size >> 30):,} GB and the disk has less. Free some space, try again."
        )


def _copied(stream: IO[bytes], target: Path, size: int) -> None:
    """Copy as many bytes as were announced; more is a zip that lies."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as writer:
        while piece := stream.read(CHUNK):
            size -= len(piece)
            if size < 0:
                raise InvalidInput(f"{target.name} unpacks to more than the zip says. It was not opened further.")
            writer.write(piece)


def _model_in(out: Path, seen: list[str]) -> Path:
    """The shallowest folder with an adapter, else with a whole model."""
    for name, weights in ((ADAPTER, "adapter_model.safetensors"), (CONFIG, "*.safetensors")):
        found = sorted(out.rglob(name), key=lambda path: (len(path.parts), str(path)))
        whole = next((path.parent for path in found if any(path.parent.glob(weights))), None)
        if whole is not None:
            return _checked(whole, name)
    if any(PurePosixPath(name).suffix.lower() in PICKLED for name in seen):
        raise InvalidInput(
            "The weights are .bin or .pt files. Those are Python pickles, which can run code when they are opened, so "
            "none is. Save the model again with safe_serialization=True (the default of new versions)."
        )
    raise InvalidInput(
        "There is no model in this. Zip the output folder: adapter_config.json with adapter_model.safetensors, or "
        "config.json with model.safetensors."
    )


def _checked(folder: Path, name: str) -> Path:
    """Refuse a config that asks for code of its own, or weights that cannot be trained or merged further."""
    config = read_json(folder / name)
    if "auto_map" in config:
        raise InvalidInput(
            "The model asks to run code of its own (`auto_map` in its config). Such models are not taken."
        )
    if name == CONFIG and "quantization_config" in config:
        raise InvalidInput("The model is quantised. Merge and save it in 16 bit, or bring the adapter alone.")
    for path in folder.glob("*.safetensors"):
        names_of(path)
    return folder


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises InvalidInput when the file is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InvalidInput(f"{path.name} is not valid JSON. Save the model again.") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{path.name} is not a JSON object. Save the model again.")
    return found

"""Names and shapes of the tensors in safetensors files, read from their headers: no torch, no weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO

from storage.artifacts import Artifacts
from studio.errors import InvalidInput

Shapes = dict[str, tuple[int, ...]]
LARGEST_HEADER = 100 << 20


def names_of(path: Path) -> Shapes:
    """Shape by tensor name. Raises InvalidInput when the file is not whole."""
    with path.open("rb") as stream:
        return _header(stream, path.name)


def shapes_in(folder: Path) -> Shapes:
    """Shape by tensor name over all safetensors files of a folder."""
    return {name: shape for path in sorted(folder.glob("*.safetensors")) for name, shape in names_of(path).items()}


def shapes_of(artifacts: Artifacts, digest: str) -> Shapes:
    """Shape by tensor name over an artifact's safetensors files; none where it is not here."""
    if not artifacts.exists(digest):
        return {}
    found: Shapes = {}
    for name in artifacts.manifest(digest)["files"]:
        if name.endswith(".safetensors"):
            with artifacts.open_file(digest, name) as stream:
                found |= _header(stream, name)
    return found


def _header(stream: IO[bytes], name: str) -> Shapes:
    size = int.from_bytes(stream.read(8), "little")
    try:
        if not 2 <= size <= LARGEST_HEADER:
            raise ValueError(f"a header of {size} bytes")
        header = json.loads(stream.read(size))
        return {key: tuple(map(int, told["shape"])) for key, told in header.items() if key != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{name} is not a whole safetensors file. Copy it again from where it was trained."
        ) from error

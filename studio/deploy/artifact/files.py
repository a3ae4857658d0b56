"""A model's files, wherever they lie: in a folder, or in the artifact store, read without laying them out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from storage.artifacts import Artifacts

LARGEST_JSON = 200 << 20


class Files(Protocol):
    """Names and sizes, and a way to read one."""

    def sizes(self) -> dict[str, int]:
        """Bytes by relative name."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open one for reading."""
        ...


class FolderFiles:
    """Files of a folder on this machine; links are listed with what they lead to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sizes(self) -> dict[str, int]:
        """Bytes by relative name, without what the artifact store keeps there for itself."""
        found = (path for path in sorted(self.folder.rglob("*")) if path.is_file() and path.name != ".artifact")
        return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in found}

    def open(self, name: str) -> BinaryIO:
        """Open one for reading."""
        return (self.folder / name).open("rb")


class StoredFiles:
    """Files of an artifact in the store."""

    def __init__(self, artifacts: Artifacts, digest: str) -> None:
        self.artifacts, self.digest = artifacts, digest

    def sizes(self) -> dict[str, int]:
        """Bytes by relative name."""
        return {name: int(told["bytes"]) for name, told in self.artifacts.manifest(self.digest)["files"].items()}

    def open(self, name: str) -> BinaryIO:
        """Open one for reading."""
        return self.artifacts.open_file(self.digest, name)


def read_json(files: Files, name: str) -> dict[str, Any]:
    """A JSON object; {} when there is none that can be read."""
    return told_by(files, name) or {}


def told_by(files: Files, name: str) -> dict[str, Any] | None:
    """A JSON object; None when the file is missing, too large, not JSON, or something else than an object."""
    if not 0 < files.sizes().get(name, 0) <= LARGEST_JSON:
        return None
    with files.open(name) as stream:
        try:
            found = json.loads(stream.read())
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, dict) else None


def read_text(files: Files, name: str) -> str:
    """A text file; "" when it is missing."""
    if name not in files.sizes():
        return ""
    with files.open(name) as stream:
        return stream.read().decode(errors="replace")

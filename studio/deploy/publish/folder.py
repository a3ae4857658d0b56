"""A folder that others see, on a disk or in an object store, through fsspec. The list of files is written last."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from storage.artifacts import write_atomically
from studio.deploy.publish.port import Published, Report
from studio.errors import Conflict, InvalidInput, Unavailable

LIST = "SHA256SUMS.json"
CHUNK = 1 << 20


class FolderDestination:
    """Refuses a folder that holds something else: nothing of others is ever overwritten."""

    def __init__(self, address: str) -> None:
        try:
            self.fs, self.root = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise InvalidInput(
                f"{address} cannot be opened: {error}. S3 needs `pip install s3fs` beside the studio."
            ) from error
        self.address = address

    def put(self, files: dict[str, Path], report: Report) -> Published:
        """Copy what is missing, then write the list of files with their hashes."""
        wanted = {name: _hash(path) for name, path in sorted(files.items())}
        try:
            if self._there() != wanted:
                self._refuse_others(wanted)
                self._send(files, report)
                self._write(LIST, json.dumps(wanted, indent=2).encode())
        except OSError as error:
            raise Unavailable(
                f"{self.address} could not be written ({error}). Free space or mend it, then retry."
            ) from error
        return Published(self.address, _digest(wanted))

    def _there(self) -> dict[str, Any] | None:
        if not self.fs.exists(self._path(LIST)):
            return None
        found: dict[str, Any] = json.loads(self.fs.cat_file(self._path(LIST)))
        return found

    def _refuse_others(self, wanted: dict[str, str]) -> None:
        """An unfinished copy of the same files is gone on with; anything else is not ours."""
        there = self.fs.find(self.root) if self.fs.exists(self.root) else []
        names = {str(path).removeprefix(self.root.rstrip("/")).lstrip("/") for path in there}
        strange = sorted(name for name in names - set(wanted) if not name.endswith(".part"))
        if strange:
            raise Conflict(f"{self.address} already holds other files ({strange[0]}). Choose a new folder.")

    def _send(self, files: dict[str, Path], report: Report) -> None:
        total, sent = sum(path.stat().st_size for path in files.values()) or 1, 0
        for name, path in sorted(files.items()):
            report(sent / total, f"Copying {name}")
            self._copy(name, path)
            sent += path.stat().st_size

    def _copy(self, name: str, path: Path) -> None:
        target = self._path(name)
        self.fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        if not isinstance(self.fs, LocalFileSystem):
            self.fs.put_file(str(path), target)  # one PUT is atomic on object stores
            return
        part = f"{target}.part"
        self.fs.put_file(str(path), part)
        Path(part).replace(target)

    def _write(self, name: str, content: bytes) -> None:
        if isinstance(self.fs, LocalFileSystem):
            write_atomically(Path(self._path(name)), content)
        else:
            self.fs.pipe_file(self._path(name), content)

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(hashes: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()

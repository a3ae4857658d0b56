"""Content-addressed artifacts on fsspec: blobs by SHA-256, a manifest written last and named by its own hash.

Local writes are temp + fsync + rename, so a crash leaves either the whole file or nothing. A manifest exists only when
all its blobs do. Symlinks and paths that climb out are refused; every blob is verified on checkout.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from storage.types import new_id

CHUNK = 1 << 20


class DamagedArtifact(RuntimeError):
    """An artifact's bytes do not match its manifest; restore it from a backup or make it again."""


class Artifacts:
    """Stores folders immutably. The id of a folder is the hash of its file list, so equal folders are one."""

    def __init__(self, url: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(url)

    def save_folder(self, folder: Path, meta: dict[str, Any] | None = None) -> str:
        """Store every file under `folder` and return the artifact's digest."""
        files = {str(path.relative_to(folder)): self._put_blob(path) for path in _plain_files(folder)}
        return self._put_manifest(files, meta or {})

    def manifest(self, digest: str) -> dict[str, Any]:
        """The manifest: {"files": {path: {"sha256", "bytes"}}, "meta": {...}}. Raises FileNotFoundError."""
        with self.fs.open(self._manifest_path(digest), "rb") as stream:
            found: dict[str, Any] = json.load(stream)
        return found

    def exists(self, digest: str) -> bool:
        """Whether the artifact is here, whole."""
        return bool(digest) and bool(self.fs.exists(self._manifest_path(digest)))

    def checkout(self, digest: str, folder: Path) -> Path:
        """Lay the files out under `folder`, verified; an earlier identical checkout is reused."""
        done = folder / ".artifact"
        if done.exists() and done.read_text() == digest:
            return folder
        for name, facts in self.manifest(digest)["files"].items():
            self._fetch(facts["sha256"], _inside(folder, name))
        write_atomically(done, digest.encode())
        return folder

    def open_file(self, digest: str, name: str) -> BinaryIO:
        """Open one file of an artifact for reading."""
        stream: BinaryIO = self.fs.open(self._blob_path(self.manifest(digest)["files"][name]["sha256"]), "rb")
        return stream

    def remove(self, digest: str) -> None:
        """Delete an artifact for good: its manifest first, then the blobs that no other manifest names."""
        if not self.exists(digest):
            return
        blobs = {facts["sha256"] for facts in self.manifest(digest)["files"].values()}
        self.fs.rm(self._manifest_path(digest))
        for blob in blobs - self._blobs_in_use():
            self.fs.rm(self._blob_path(blob))

    def _blobs_in_use(self) -> set[str]:
        digests = [PurePosixPath(path).stem for path in self.fs.ls(f"{self.root}/manifests", detail=False)]
        files = [facts for digest in digests for facts in self.manifest(digest)["files"].values()]
        return {facts["sha256"] for facts in files}

    def _put_blob(self, path: Path) -> dict[str, Any]:
        digest = _hash_file(path)
        target = self._blob_path(digest)
        if not self.fs.exists(target):
            self._put(path, target)
        return {"sha256": digest, "bytes": path.stat().st_size}

    def _put(self, source: Path, target: str) -> None:
        if not isinstance(self.fs, LocalFileSystem):
            self.fs.put_file(str(source), target)  # one PUT is atomic on object stores
            return
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        part = Path(f"{target}.{new_id()}.part")
        with source.open("rb") as reader, part.open("wb") as writer:
            shutil.copyfileobj(reader, writer, CHUNK)
            _sync(writer)
        _publish(part, Path(target))

    def _put_manifest(self, files: dict[str, Any], meta: dict[str, Any]) -> str:
        digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
        body = json.dumps({"files": files, "meta": meta}, sort_keys=True, indent=1).encode()
        path = self._manifest_path(digest)
        if not self.fs.exists(path):
            if isinstance(self.fs, LocalFileSystem):
                write_atomically(Path(path), body)
            else:
                self.fs.pipe_file(path, body)
        return digest

    def _fetch(self, digest: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.{new_id()}.part")
        seen = hashlib.sha256()
        with self.fs.open(self._blob_path(digest), "rb") as reader, part.open("wb") as writer:
            while chunk := reader.read(CHUNK):
                seen.update(chunk)
                writer.write(chunk)
        if seen.hexdigest() != digest:
            part.unlink()
            raise DamagedArtifact(f"{DamagedArtifact.__doc__} File: {target.name}.")
        part.replace(target)

    def _blob_path(self, digest: str) -> str:
        return f"{self.root}/blobs/sha256/{digest[:2]}/{digest}"

    def _manifest_path(self, digest: str) -> str:
        if not digest.isalnum():
            raise FileNotFoundError(f"{digest!r} is not an artifact id")
        return f"{self.root}/manifests/{digest}.json"


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` so that a crash leaves the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{new_id()}.part")
    with part.open("wb") as writer:
        writer.write(data)
        _sync(writer)
    _publish(part, path)


def _sync(writer: Any) -> None:
    writer.flush()
    os.fsync(writer.fileno())


def _publish(part: Path, target: Path) -> None:
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _plain_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise DamagedArtifact(f"{path.name} is a symbolic link; only plain files can be stored.")
        if path.is_file() and path.name != ".artifact":
            yield path


def _inside(folder: Path, name: str) -> Path:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise DamagedArtifact(f"The manifest names a path outside the artifact: {name}")
    return folder / pure


def _hash_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

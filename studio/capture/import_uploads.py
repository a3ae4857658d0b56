"""Uploaded files: each in a folder of its own, with who sent it for which project, until it is imported."""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from storage.types import new_id
from studio.access.actor import Actor
from studio.errors import NotFound

ID = re.compile(r"[0-9a-z]{12,40}")
KEPT_S = 7 * 24 * 3600
GONE = "The uploaded file is gone. Upload it again."


@dataclass(frozen=True)
class Upload:
    """A file that somebody uploaded, or a folder that a job fetched."""

    id: str
    project_id: str
    name: str
    by: str
    """Username."""
    path: Path


class Uploads:
    """Keeps uploaded files in a folder; what nobody imported is removed after a week."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, actor: Actor, project_id: str, name: str) -> Upload:
        """Room for a new file; nothing is there until it is written to `path`."""
        self.sweep()
        made = new_id()
        own = self.folder / made
        own.mkdir(parents=True, mode=0o700)
        upload = Upload(made, project_id, name, actor.username, own / "file")
        told = {name: value for name, value in asdict(upload).items() if name != "path"}
        (own / "about.json").write_text(json.dumps(told))
        return upload

    def get(self, actor: Actor, project_id: str, upload_id: str) -> Upload:
        """An upload of this person for this project. Raises NotFound."""
        about = self.folder / upload_id / "about.json"
        if not ID.fullmatch(upload_id) or not about.is_file():
            raise NotFound(GONE)
        found = Upload(**json.loads(about.read_text()), path=self.folder / upload_id / "file")
        if found.project_id != project_id or found.by != actor.username or not found.path.exists():
            raise NotFound(GONE)
        return found

    def remove(self, path: Path) -> None:
        """Remove an upload by its file; files that lie elsewhere are left alone."""
        own = path.parent
        if ID.fullmatch(own.name) and own.parent == self.folder:
            shutil.rmtree(own, ignore_errors=True)
        elif path.parent == self.folder and path.is_file():
            path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what has lain here for a week."""
        if not self.folder.is_dir():
            return
        for each in self.folder.iterdir():
            if ID.fullmatch(each.name) and each.is_dir() and time.time() - each.stat().st_mtime > KEPT_S:
                shutil.rmtree(each, ignore_errors=True)

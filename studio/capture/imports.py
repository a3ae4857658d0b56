"""Imports: calls from a file or a dataset of the Hub into the log, as a job that goes on where it stopped."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from storage.database import Database
from storage.tables import Job
from studio.access.actor import Actor, Role
from studio.capture.import_preview import PREVIEWED, Preview, preview_of
from studio.capture.import_uploads import Upload, Uploads
from studio.capture.importers.catalog import COLUMNS, examples, importer, labels
from studio.capture.importers.columns import lacks, read_mapping
from studio.errors import InvalidInput
from studio.jobs.queue import Jobs
from studio.settings import Settings

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
ERROR_COLUMNS = ("file", "line", "field", "reason")


class Imports:
    """Previews files, starts imports, and tells what became of rows."""

    def __init__(self, database: Database, jobs: Jobs, settings: Settings) -> None:
        self.database = database
        self.jobs = jobs
        self.settings = settings
        self.uploads = Uploads(settings.root.resolve() / "uploads")

    def formats(self) -> dict[str, str]:
        """Every format with its name for people."""
        return labels()

    def examples(self) -> dict[str, str]:
        """Every format with a row, shortened."""
        return examples()

    def preview(
        self,
        path: Path,
        mapping: Mapping[str, Any] | None = None,
        *,
        format: str = "",
        name: str = "",
        rows: int = PREVIEWED,
    ) -> Preview:
        """Read the first rows only. Raises InvalidInput when the file cannot be imported."""
        return preview_of(Path(path), name or Path(path).name, format, read_mapping(mapping), rows)

    def upload(self, actor: Actor, project_id: str, upload_id: str) -> Upload:
        """What this person uploaded for this project. Raises NotFound."""
        return self.uploads.get(actor, project_id, upload_id)

    def start(
        self,
        actor: Actor,
        project_id: str,
        path: Path,
        filename: str,
        *,
        format: str | None = None,
        mapping: Mapping[str, Any] | None = None,
        group: str = "",
    ) -> Job:
        """Import the file as a job. People of the studio import what they uploaded; the operator, any file.

        Without a format each file is recognised by its rows; a mapping alone means columns of one's own. Files that
        are imported together name the same group.
        """
        path, chosen = Path(path).resolve(), read_mapping(mapping)
        if actor.person_id is not None and not path.is_relative_to(self.uploads.folder):
            raise InvalidInput("Upload the file on the Capture page first.")
        format = format or (COLUMNS if chosen else "")
        if format:
            importer(format)
        if chosen and (missing := lacks(chosen)):
            raise InvalidInput(missing)
        preview_of(path, filename, format, chosen, rows=1)
        spec = {"path": str(path), "project_id": project_id, "filename": filename, "format": format, "mapping": chosen}
        spec |= {"group": group} if group else {}
        title = f"Import {os.path.basename(filename)[:100] or path.name}"
        return self.jobs.submit(actor, "import", spec, title=title, project_id=project_id, needs=Role.EDITOR)

    def fetch(
        self, actor: Actor, project_id: str, dataset: str, *, config: str = "", split: str = "", revision: str = ""
    ) -> Job:
        """Fetch a split of a dataset of the Hub as a job; its result names an upload, to preview and to import."""
        asked = read_dataset(dataset, config, split, revision)
        upload = self.uploads.begin(actor, project_id, _name(asked))
        spec = {**asked, "project_id": project_id, "upload": upload.id}
        title = f"Fetch {asked['dataset']}"
        return self.jobs.submit(actor, "fetch_dataset", spec, title=title, project_id=project_id, needs=Role.EDITOR)

    def error_rows(self, job: Job) -> Iterator[bytes]:
        """Every row that an import refused, as CSV without formulas."""
        yield _csv_line(ERROR_COLUMNS)
        path = str(job.result.get("errors_file") or "")
        if not path or not Path(path).is_file():
            return
        with Path(path).open("rb") as file:
            for line in file:
                told = json.loads(line)
                yield _csv_line([_harmless(str(told.get(name, ""))) for name in ERROR_COLUMNS])


def read_dataset(dataset: str, config: str, split: str, revision: str) -> dict[str, str]:
    """What was asked of the Hub, checked. Raises InvalidInput."""
    from studio.capture.import_hub import checked

    return checked(dataset, config, split, revision)


def _name(asked: dict[str, str]) -> str:
    return " ".join(part for part in (asked["dataset"], asked["config"], asked["split"]) if part)


def _csv_line(cells: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _harmless(cell: str) -> str:
    """No spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell

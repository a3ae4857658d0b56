"""Reading a file into the log batch by batch; the position is kept beside the job, so a killed import goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlmodel import Session

from storage.repositories.logs import LogEntryRepository
from studio.capture.importers.catalog import importer
from studio.capture.importers.port import ImportedCall, RowError
from studio.capture.imports import call_values
from studio.capture.intake import insert_entries
from studio.errors import InvalidInput, NotFound
from studio.jobs.context import JobContext

BATCH_ROWS = 500
BATCH_BYTES = 8 << 20
SHOWN_ERRORS = 1000

Row = ImportedCall | RowError


@dataclass
class Progress:
    """How far the file is read; written after each batch."""

    offset: int = 0
    line: int = 0
    imported: int = 0
    duplicates: int = 0
    errors: int = 0
    errors_size: int = 0
    finished: bool = False
    shown_errors: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> Progress:
        """Where the last attempt stopped."""
        path = folder / "position.json"
        return cls(**json.loads(path.read_text())) if path.exists() else cls()

    def save(self, folder: Path) -> None:
        """Keep the position, whole or not at all."""
        fresh = folder / "position.new"
        fresh.write_text(json.dumps(asdict(self)))
        fresh.rename(folder / "position.json")


class FileImport:
    """One import job at work."""

    def __init__(self, context: JobContext) -> None:
        self.context = context
        self.path = Path(str(context.spec["path"]))
        self.project_id = str(context.spec["project_id"])
        context.folder.mkdir(parents=True, exist_ok=True)
        self.errors = context.folder / "errors.jsonl"
        self.progress = Progress.load(context.folder)

    def run(self) -> dict[str, Any]:
        """Import to the end of the file. Raises InvalidInput when not one row could be taken."""
        if self.progress.finished:
            return self._result()
        if not self.path.exists():
            raise NotFound("The uploaded file is gone. Upload it again.")
        size = self.path.stat().st_size
        for batch in self._batches():
            self.context.leave_if_asked()
            self._take(batch)
            done = self.progress
            self.context.report(done.offset / size, f"{done.imported:,} calls imported, {done.errors:,} rows refused")
        self._check()
        self.progress.finished = True
        self.progress.save(self.context.folder)
        return self._result()

    def _batches(self) -> Iterator[list[Row]]:
        rows: list[Row] = []
        held = 0
        with self.path.open("rb") as stream:
            stream.seek(self.progress.offset)
            for row in importer(str(self.context.spec.get("format", "openai_jsonl"))).read(stream, self.progress.line):
                held += row.end - (rows[-1].end if rows else self.progress.offset)
                rows.append(row)
                if len(rows) >= BATCH_ROWS or held >= BATCH_BYTES:
                    yield rows
                    rows, held = [], 0
        if rows:
            yield rows

    def _take(self, rows: list[Row]) -> None:
        calls = [row for row in rows if isinstance(row, ImportedCall)]
        with self.context.database.write() as session:
            new = insert_calls(session, self.project_id, calls)
        done = self.progress
        done.imported += new
        done.duplicates += len(calls) - new
        self._note([row for row in rows if isinstance(row, RowError)])
        done.offset, done.line = rows[-1].end, rows[-1].line
        done.save(self.context.folder)

    def _note(self, errors: list[RowError]) -> None:
        """Add the errors to the file; what an attempt wrote after its last position is written over."""
        done = self.progress
        told = [{"line": error.line, "reason": error.reason} for error in errors]
        with self.errors.open("ab") as file:
            os.ftruncate(file.fileno(), done.errors_size)
            file.write("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told).encode())
        done.errors_size = self.errors.stat().st_size
        done.errors += len(told)
        done.shown_errors += told[: SHOWN_ERRORS - len(done.shown_errors)]

    def _check(self) -> None:
        done = self.progress
        if done.imported or done.duplicates:
            return
        if not done.errors:
            raise InvalidInput("The file holds only blank lines. Choose a file with at least one call.")
        first = done.shown_errors[0]
        raise InvalidInput(f"None of the {done.errors:,} rows can be read. Line {first['line']}: {first['reason']}")

    def _result(self) -> dict[str, Any]:
        done = self.progress
        counts = {"imported": done.imported, "duplicates": done.duplicates, "errors": done.errors}
        return {**counts, "first_errors": done.shown_errors, "errors_file": str(self.errors) if done.errors else None}


def insert_calls(session: Session, project_id: str, calls: list[ImportedCall]) -> int:
    """Insert the calls that are not in the log yet; how many were new."""
    rows = [call_values(call, project_id) for call in calls]
    known = LogEntryRepository(session).known_external_ids(project_id, {row["external_id"] for row in rows})
    return len(insert_entries(session, [row for row in rows if row["external_id"] not in known]))

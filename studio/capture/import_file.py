"""Reading a file into the log batch by batch; a killed import goes on where it stopped."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.capture.import_feedback import apply_feedback, unanswered
from studio.capture.import_rows import Batch, insert_calls
from studio.capture.import_source import Opened, Unreadable, fresh, open_parts, parts_of
from studio.capture.import_state import SHOWN_ERRORS, Lines, Progress
from studio.capture.importers.catalog import COLUMNS
from studio.capture.importers.columns import lacks
from studio.capture.importers.port import ImportedCall, ImportedFeedback, RowError, Skipped
from studio.capture.importers.unpack import Part
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.policies import FreshPolicies
from studio.capture.privacy.redactor import Redactor
from studio.capture.privacy.sealing import sealing
from studio.errors import InvalidInput, NotFound
from studio.jobs.context import JobContext

BATCH_ROWS = 2000
BATCH_BYTES = 8 << 20

log = logging.getLogger(__name__)


class FileImport:
    """One import job at work."""

    def __init__(self, context: JobContext) -> None:
        self.context = context
        self.path = Path(str(context.spec["path"]))
        self.project_id = str(context.spec["project_id"])
        self.folder = context.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.errors, self.waiting = Lines(self.folder / "errors.jsonl"), Lines(self.folder / "waiting.jsonl")
        self.progress = Progress.load(self.folder)
        self.several = False

    def run(self) -> dict[str, Any]:
        """Import to the end. Raises InvalidInput when not one row could be taken."""
        if self.progress.finished:
            return self._result()
        if not self.path.exists():
            raise NotFound("The uploaded file is gone. Upload it again.")
        self.cleaner = _cleaner(self.context)
        opened = self._open()
        for number in range(self.progress.part, len(opened)):
            self._read(opened, number)
            self._next_part(number + 1)
        self._settle()
        self._check()
        self.progress.finished = True
        self.progress.save(self.folder)
        shutil.rmtree(self.folder / "parts", ignore_errors=True)
        return self._result()

    def _open(self) -> list[Opened | Unreadable]:
        spec = self.context.spec
        parts = self._parts()
        self.several = len(parts) > 1
        opened = open_parts(parts, str(spec.get("format") or ""), spec.get("mapping") or None)
        for each in opened:
            if isinstance(each, Opened) and each.format == COLUMNS and (missing := lacks(each.mapping)):
                reason = f"{missing} Its columns are: {', '.join(each.columns[:40])}."
                if len(opened) == 1:
                    raise InvalidInput(reason)
                opened[opened.index(each)] = Unreadable(each.part, reason)
        return opened

    def _parts(self) -> list[Part]:
        """The unpacked parts; a try that was killed while unpacking begins anew."""
        listed = self.folder / "parts.json"
        if listed.exists():
            return [Part(Path(each["path"]), each["name"], each["note"]) for each in json.loads(listed.read_text())]
        self.context.report(0.0, "Opening the file")
        name = str(self.context.spec.get("filename") or self.path.name)
        parts = parts_of(self.path, name, fresh(self.folder / "parts"))
        made = self.folder / "parts.new"
        made.write_text(json.dumps([{**asdict(part), "path": str(part.path)} for part in parts]))
        made.rename(listed)
        return parts

    def _read(self, opened: list[Opened | Unreadable], number: int) -> None:
        part = opened[number]
        if isinstance(part, Unreadable):
            self._take(Batch([RowError(0, 0, part.reason)]), part.part.name)
            return
        for batch in self._batches(part):
            self.context.leave_if_asked()
            self._take(batch, part.part.name)
            done = self.progress
            share = (number + min(done.position / max(part.layout.size, 1), 1.0)) / len(opened)
            self.context.report(share, f"{done.imported:,} calls imported, {done.errors:,} rows refused")

    def _batches(self, part: Opened) -> Iterator[Batch]:
        """Cut only between rows: what one row holds stays together."""
        batch = Batch([])
        for item in part.rows(self.progress.place):
            if (
                batch.items
                and item.end != batch.items[-1].end
                and (batch.size >= BATCH_BYTES or batch.rows >= BATCH_ROWS)
            ):
                yield batch
                batch = Batch([])
            batch.add(item)
        if batch.items:
            yield batch

    def _take(self, batch: Batch, name: str) -> None:
        done, items = self.progress, batch.items
        calls = [item for item in items if isinstance(item, ImportedCall)]
        given = [item for item in items if isinstance(item, ImportedFeedback)]
        taken = insert_calls(self.context.database, self.cleaner, self.project_id, calls, given)
        done.imported += taken.new
        done.held_back += taken.held_back
        done.duplicates += len(calls) - taken.new - taken.held_back
        done.feedback += taken.feedback.added
        done.feedback_known += taken.feedback.known
        self._wait(taken.feedback.waiting)
        self._note([*[item for item in items if isinstance(item, RowError)], *taken.feedback.errors], name)
        self._skip([item for item in items if isinstance(item, Skipped)])
        done.position, done.line = items[-1].end, items[-1].line
        done.save(self.folder)

    def _next_part(self, number: int) -> None:
        self.progress.part, self.progress.position, self.progress.line = number, 0, 0
        self.progress.save(self.folder)

    def _wait(self, waiting: list[ImportedFeedback]) -> None:
        done = self.progress
        done.waiting_size = self.waiting.append([asdict(item) for item in waiting], done.waiting_size)
        done.waiting += len(waiting)

    def _note(self, errors: list[RowError], name: str = "") -> None:
        done = self.progress
        where = {"file": name} if self.several and name else {}
        told = [{**where, "line": error.line, "field": error.field, "reason": error.reason} for error in errors]
        done.errors_size = self.errors.append(told, done.errors_size)
        done.errors += len(told)
        done.shown_errors += told[: SHOWN_ERRORS - len(done.shown_errors)]

    def _skip(self, skipped: list[Skipped]) -> None:
        for item in skipped:
            self.progress.why_skipped[item.reason] = self.progress.why_skipped.get(item.reason, 0) + 1
        self.progress.skipped += len(skipped)

    def _settle(self) -> None:
        """Feedback that came before its call, once more; what still finds none becomes an error of its row."""
        waiting = [ImportedFeedback(**item) for item in self.waiting.read(self.progress.waiting_size)]
        left: list[RowError] = []
        for start in range(0, len(waiting), BATCH_ROWS):
            self.context.leave_if_asked()
            with self.context.database.write() as session:
                applied = apply_feedback(session, self.cleaner, self.project_id, waiting[start : start + BATCH_ROWS])
            self.progress.feedback += applied.added
            self.progress.feedback_known += applied.known
            left += [*map(unanswered, applied.waiting), *applied.errors]
        self._note(left)
        self.progress.waiting = self.progress.waiting_size = 0
        self.progress.save(self.folder)

    def _check(self) -> None:
        done = self.progress
        if done.taken:
            return
        if not done.errors:
            why = "; ".join(list(done.why_skipped)[:3]) or "it holds only blank lines"
            raise InvalidInput(f"There is no call in this file: {why}. Choose a file with at least one call.")
        first = done.shown_errors[0]
        raise InvalidInput(f"None of the {done.errors:,} rows can be read. Line {first['line']}: {first['reason']}")

    def _result(self) -> dict[str, Any]:
        done = self.progress
        names = ("imported", "duplicates", "errors", "skipped", "held_back", "feedback", "feedback_known")
        counts = {name: getattr(done, name) for name in names}
        file = str(self.errors.path) if done.errors else None
        return {**counts, "why_skipped": done.why_skipped, "first_errors": done.shown_errors, "errors_file": file}


def _cleaner(context: JobContext) -> Cleaner:
    """The cleaner with the policies of now: without them nothing is imported."""
    policies, secrets = FreshPolicies(context.database), context.settings.secrets
    policies.load()
    return Cleaner(Redactor.of(secrets), policies, sealing(secrets))

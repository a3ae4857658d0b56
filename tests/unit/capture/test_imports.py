"""Files come in whole: good rows in the log, bad rows with line and reason, the same rows never twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.database import Database
from storage.repositories.logs import LogEntryRepository
from storage.tables import LogEntry, Project
from studio.access.actor import Actor
from studio.capture.import_file import FileImport
from studio.capture.imports import Imports
from studio.capture.jobs import import_file
from studio.errors import InvalidInput, NotAllowed
from studio.jobs.context import JobCancelled, JobContext
from studio.jobs.queue import Jobs
from studio.settings import Settings

Context = Callable[[Path], JobContext]

USER = {"role": "user", "content": "Hi"}
ANSWER = {"role": "assistant", "content": "Hello"}


def write(path: Path, *rows: Any) -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def entries(database: Database) -> list[LogEntry]:
    with database.read() as session:
        return LogEntryRepository(session).find()


def test_every_form_of_row_becomes_a_call(tmp_path: Path, import_context: Context, database: Database) -> None:
    choices = [{"index": 0, "message": ANSWER, "finish_reason": "stop"}]
    response = {
        "id": "r1",
        "model": "gpt-x",
        "created": 1_700_000_000,
        "choices": choices,
        "usage": {"prompt_tokens": 9},
    }
    path = write(
        tmp_path / "calls.jsonl",
        {"messages": [{"role": "system", "content": "S"}, USER, ANSWER], "metadata": {"k": 1}, "model": "m1"},
        {"request": {"model": "alias", "messages": [USER], "temperature": 0}, "response": response, "latency_ms": 12},
        {"request": {"messages": [USER]}, "response": {"status_code": 200, "body": {"choices": choices}}},
        {"id": "stored", "messages": [USER], "choices": choices, "model": "m4"},
        {"prompt": "P", "completion": "C"},
    )
    result = import_file(import_context(path))
    rows = entries(database)
    assert (result["imported"], result["duplicates"], result["errors"]) == (5, 0, 0)
    assert {row.source for row in rows} == {"import"} and all(row.status == "ok" for row in rows)
    first, second, *_ = sorted(rows, key=lambda row: row.id or 0)
    assert first.messages == [{"role": "system", "content": "S"}, USER] and first.reply == ANSWER
    assert first.tags == {"k": "1"} and first.model == "m1"
    assert (second.model, second.served_model, second.external_id) == ("alias", "gpt-x", "r1")
    assert (second.created_at.year, second.latency_ms, second.prompt_tokens) == (2023, 12, 9)


def test_bad_rows_are_named_by_line_and_the_rest_goes_in(
    tmp_path: Path, import_context: Context, database: Database
) -> None:
    good = {"messages": [USER, ANSWER]}
    path = write(
        tmp_path / "mixed.jsonl",
        b"\xef\xbb\xbf" + json.dumps(good).encode(),
        b'{"messages": [',
        b"",
        b"[1, 2]",
        {"messages": [USER]},
        {"messages": [ANSWER]},
        {"messages": [{"role": "robot"}, ANSWER]},
        {"request": {"messages": [USER]}, "response": {"text": "no"}},
        {"messages": [USER, ANSWER], "created_at": "yesterday"},
        b"\xff\xff",
        {"messages": [USER, {"role": "assistant", "content": "other"}]},
    )
    result = import_file(import_context(path))
    told = {error["line"]: error["reason"] for error in result["first_errors"]}
    assert (result["imported"], result["errors"], len(entries(database))) == (2, 8, 2)
    assert sorted(told) == [2, 4, 5, 6, 7, 8, 9, 10]
    assert "column" in told[2] and "not list" in told[4] and "assistant's answer" in told[5]
    assert "no prompt" in told[6] and "role" in told[7] and "choices" in told[8] and "yesterday" in told[9]
    kept = [json.loads(line) for line in Path(result["errors_file"]).read_text().splitlines()]
    assert {error["line"]: error["reason"] for error in kept} == told


def test_importing_the_same_file_again_adds_nothing(
    tmp_path: Path, import_context: Context, database: Database
) -> None:
    rows = [{"messages": [{"role": "user", "content": f"Q{n}"}, ANSWER]} for n in range(30)]
    path = write(tmp_path / "a.jsonl", *rows, rows[0])
    assert import_file(import_context(path))["duplicates"] == 1
    (tmp_path / "run" / "position.json").unlink()
    again = import_file(import_context(path))
    assert (again["imported"], again["duplicates"], len(entries(database))) == (0, 31, 30)


def test_a_cancelled_import_goes_on_where_it_stopped(
    tmp_path: Path, import_context: Context, database: Database
) -> None:
    rows = [{"messages": [{"role": "user", "content": f"Q{n}"}, ANSWER]} for n in range(5200)]
    path = write(tmp_path / "long.jsonl", *rows[:2700], b"broken", *rows[2700:])
    context, asked = import_context(path), iter([False, True])
    context.stop_asked = lambda: next(asked)
    with pytest.raises(JobCancelled):
        import_file(context)
    assert len(entries(database)) == 2000
    (context.folder / "errors.jsonl").write_bytes(b'{"line": 0, "reason": "left by a killed attempt"}\n')
    resumed = FileImport(import_context(path))
    assert resumed.progress.line == 2000
    result = resumed.run()
    assert (result["imported"], result["duplicates"], result["errors"]) == (5200, 0, 1)
    refused = {"line": 2701, "field": "", "reason": "Not valid JSON at column 1: Expecting value."}
    assert result["first_errors"] == [refused]
    assert len((context.folder / "errors.jsonl").read_text().splitlines()) == 1
    assert FileImport(import_context(path)).run() == result


def test_a_file_without_one_good_row_fails_with_the_first_reason(tmp_path: Path, import_context: Context) -> None:
    with pytest.raises(InvalidInput, match=r"None of the 2 rows.*Line 1: Not valid JSON"):
        import_file(import_context(write(tmp_path / "bad.jsonl", b'{"a": oops}', b'{"b": 1,}')))


def test_a_file_of_blank_lines_is_told_apart_from_an_empty_one(tmp_path: Path, import_context: Context) -> None:
    with pytest.raises(InvalidInput, match="blank"):
        import_file(import_context(write(tmp_path / "blank.jsonl", b"", b"  ")))


@pytest.mark.parametrize(
    ("head", "fix"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"\x1f\x8b\x08", "Pack it again"),
        (b"PK\x03\x04", "Pack it again"),
        (b"PAR1", "Parquet"),
        (b"%PDF-1.7", "PDF"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"\x00\x01\x02\x03", "not text"),
        (b"only words\nof one column", "rows that can be recognised"),
    ],
)
def test_a_file_that_cannot_be_ours_is_refused_before_the_job(
    tmp_path: Path, database: Database, settings: Settings, project: Project, operator: Actor, head: bytes, fix: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(head)
    imports = Imports(database, Jobs(database), settings)
    with pytest.raises(InvalidInput, match=fix):
        imports.start(operator, project.id, path, "file")
    with pytest.raises(InvalidInput, match=fix):
        imports.preview(path)


def test_people_import_only_what_they_uploaded(
    tmp_path: Path, database: Database, settings: Settings, project: Project, editor: Actor, viewer: Actor
) -> None:
    imports = Imports(database, Jobs(database), settings)
    outside = write(tmp_path / "outside.jsonl", {"messages": [USER, ANSWER]})
    sneaky = settings.root / "uploads" / ".." / "outside.jsonl"
    sneaky.parent.parent.mkdir(parents=True, exist_ok=True)
    (settings.root / "outside.jsonl").write_bytes(outside.read_bytes())
    for path in (outside, sneaky):
        with pytest.raises(InvalidInput, match="Upload"):
            imports.start(editor, project.id, path, "x.jsonl")
    uploads = settings.root / "uploads"
    uploads.mkdir(exist_ok=True)
    inside = write(uploads / "u1", {"messages": [USER, ANSWER]})
    with pytest.raises(NotAllowed):
        imports.start(viewer, project.id, inside, "x.jsonl")
    job = imports.start(editor, project.id, inside, "../../evil name.jsonl")
    assert job.kind == "import" and job.title == "Import evil name.jsonl"


def test_an_uploaded_file_is_removed_once_it_is_in_the_log(
    settings: Settings, import_context: Context, database: Database
) -> None:
    uploads = settings.root / "uploads"
    uploads.mkdir()
    path = write(uploads / "u1", {"messages": [USER, ANSWER]})
    import_file(import_context(path))
    assert not path.exists() and len(entries(database)) == 1


def test_a_preview_shows_the_first_rows_and_errors(tmp_path: Path, database: Database, settings: Settings) -> None:
    path = write(tmp_path / "p.jsonl", {"messages": [USER, ANSWER]}, b"oops", *[{"messages": [USER, ANSWER]}] * 50)
    preview = Imports(database, Jobs(database), settings).preview(path, rows=5)
    assert (len(preview.calls), [error.line for error in preview.errors]) == (4, [2])
    assert preview.calls[0]["reply_text"] == "Hello" and preview.size == path.stat().st_size


READ_ALL = """
import resource, sys
from pathlib import Path
from studio.capture.entries import entry_values
from studio.capture.import_rows import record_of
from studio.capture.importers.catalog import importer
from studio.capture.importers.layouts.catalog import layout_of
from studio.capture.importers.reading import read_rows
reader = read_rows(layout_of(Path(sys.argv[1])), importer("openai"))
entry_values(record_of(next(reader), "p"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(1 for row in reader if entry_values(record_of(row, "p")))
print(rows + 1, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_stays_flat_over_a_big_file(tmp_path: Path) -> None:
    path, text = tmp_path / "big.jsonl", "word " * 1200
    with path.open("w") as file:
        for number in range(10_000):
            file.write(json.dumps({"messages": [{"role": "user", "content": f"{number} {text}"}, ANSWER]}) + "\n")
    assert path.stat().st_size > 60_000_000
    done = subprocess.run([sys.executable, "-c", READ_ALL, str(path)], capture_output=True, text=True, check=True)
    rows, growth_kb = (int(part) for part in done.stdout.split())
    assert rows == 10_000 and growth_kb < 20_000


def test_a_line_longer_than_the_limit_is_refused_and_the_next_one_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    from studio.capture.importers.layouts.lines import lines

    stream = io.BytesIO(b"short\n" + b"x" * 100 + b"\nnext\n")
    found = list(lines(stream, longest=40))
    assert [(line.number, line.text) for line in found] == [(1, b"short"), (2, None), (3, b"next")]

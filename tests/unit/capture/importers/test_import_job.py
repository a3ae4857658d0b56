"""An import is a job: killed ones go on, repeated ones add nothing, and the project's policy holds."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.database import Database
from storage.tables import CapturePolicy, Project
from studio.access.actor import Actor
from studio.capture.imports import Imports
from studio.errors import InvalidInput
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs
from studio.settings import Settings
from tests.unit.capture.importers.conftest import ANSWER, USER, Importer, completion, lines

KILLS = int(os.environ.get("STUDIO_KILLS", "1"))
PATIENCE_S = 60
RUN = """
import json, sys, time
from pathlib import Path
from storage.artifacts import Artifacts
from storage.database import Database
from studio.capture import import_file
from studio.jobs.context import JobContext
from studio.settings import Settings
import_file.BATCH_ROWS = 40
settings, spec = Settings(home=Path(sys.argv[1])), json.loads(sys.argv[3])
context = JobContext(
    "job", 1, "import", spec, Path(sys.argv[2]), settings, Database(settings.database), Artifacts(settings.artifacts)
)
result = import_file.FileImport(context).run()
print(json.dumps({"imported": result["imported"], "duplicates": result["duplicates"], "feedback": result["feedback"],
                  "known": result["feedback_known"], "errors": result["errors"]}))
"""


def test_a_killed_import_goes_on_and_has_every_row_once(
    tmp_path: Path, run_import: Importer, settings: Settings, project: Project
) -> None:
    good = [
        {
            "request_id": f"h{n}",
            "request_body": {"messages": [USER]},
            "response_body": completion(),
            "feedback_rating": True,
        }
        for n in range(400)
    ]
    path = lines(tmp_path / "big", *good[:250], {"request_id": "bad", "delay_ms": 1}, *good[250:])
    spec = {"path": str(path), "project_id": project.id, "filename": "big"}
    argv = [sys.executable, "-c", RUN, str(settings.home), str(tmp_path / "job"), json.dumps(spec)]
    position = tmp_path / "job" / "position.json"
    for kill in range(KILLS):
        before = position.read_text() if position.exists() else ""
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as started:
            deadline = time.monotonic() + PATIENCE_S
            while started.poll() is None and time.monotonic() < deadline:
                if position.exists() and position.read_text() != before:
                    break
                time.sleep(0.001 * (kill + 1))
            os.kill(started.pid, signal.SIGKILL) if started.poll() is None else None
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=PATIENCE_S * 3)
    told = json.loads(done.stdout.splitlines()[-1])
    calls, feedback = run_import.calls(), run_import.feedback()
    assert sorted(call.external_id or "" for call in calls) == sorted(row["request_id"] for row in good)
    assert len(feedback) == 400 and all(call.rating == "up" for call in calls)
    assert told["imported"] + told["duplicates"] == 400 and told["errors"] == 1


def test_importing_twice_adds_no_call_and_no_feedback_and_later_ratings_stay(
    tmp_path: Path, run_import: Importer
) -> None:
    row = {"request_id": "h", "request_body": {"messages": [USER]}, "response_body": completion()}
    run_import(lines(tmp_path / "first", {**row, "feedback_rating": True, "feedback_created_at": "2026-03-02"}))
    again = run_import(lines(tmp_path / "again", {**row, "feedback_rating": True, "delay_ms": 9}))
    assert (again["imported"], again["duplicates"], again["feedback"], again["feedback_known"]) == (0, 1, 0, 1)
    older = run_import(lines(tmp_path / "old", {**row, "feedback_rating": False, "feedback_created_at": "2026-03-01"}))
    assert older["feedback"] == 1 and run_import.calls()[0].rating == "up" and len(run_import.feedback()) == 2


@pytest.mark.parametrize("record", ["full", "metadata", "off"])
def test_the_projects_privacy_holds_for_imports(
    tmp_path: Path, run_import: Importer, database: Database, project: Project, record: str
) -> None:
    with database.write() as session:
        session.add(CapturePolicy(project_id=project.id, record=record, detectors=["email"]))
    secret = {"role": "user", "content": "I am jane@example.com, key sk-abcdefghijklmnopqrstuvwx"}
    result = run_import(lines(tmp_path / "f", {"messages": [secret, ANSWER]}))
    assert (result["imported"], result["held_back"]) == ((0, 1) if record == "off" else (1, 0))
    text = json.dumps([call.model_dump(mode="json", exclude={"signature"}) for call in run_import.calls()])
    assert "jane@" not in text and "sk-abc" not in text
    assert ("Hello" in text) == (record == "full")


def test_every_refused_row_can_be_downloaded_without_formulas(
    tmp_path: Path, context_of: Callable[..., JobContext], database: Database, settings: Settings, operator: Actor
) -> None:
    from studio.capture.jobs import import_file

    path = lines(tmp_path / "f", {"messages": [USER, ANSWER]}, {"=cmd()": 1}, {"messages": []})
    imports, jobs = Imports(database, Jobs(database), settings), Jobs(database)
    job = jobs.submit(operator, "import", {}, title="x")
    job.result = import_file(context_of(path))
    told = list(csv.reader(io.StringIO(b"".join(imports.error_rows(job)).decode())))
    assert told[0] == ["file", "line", "field", "reason"] and [row[1] for row in told[1:]] == ["2", "3"]
    job.result = {**job.result, "errors_file": str(lines(tmp_path / "e", {"line": 1, "field": "=1+1", "reason": "-x"}))}
    assert list(imports.error_rows(job))[1] == b",1,'=1+1,'-x\r\n"


def test_a_mapping_that_is_missing_is_asked_for_before_the_job_and_in_it(
    tmp_path: Path, run_import: Importer, database: Database, settings: Settings, operator: Actor, project: Project
) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    imports = Imports(database, Jobs(database), settings)
    assert "which column is the prompt" in imports.preview(tmp_path / "t.csv").lacks
    with pytest.raises(InvalidInput, match="Say which column is the reply"):
        imports.start(operator, project.id, tmp_path / "t.csv", "t.csv", mapping={"prompt": ["a"]})
    with pytest.raises(InvalidInput, match="Its columns are: a, b"):
        run_import(tmp_path / "t.csv")
    job = imports.start(operator, project.id, tmp_path / "t.csv", "t.csv", mapping={"prompt": "a", "reply": "b"})
    assert job.spec["format"] == "columns"

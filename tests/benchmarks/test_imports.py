"""How fast a file of calls gets into the log: rows a second by layout, with tags, search index and roll-up."""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Project
from studio.capture.jobs import import_file
from studio.jobs.context import JobContext
from studio.settings import Settings

ROWS = int(os.environ.get("STUDIO_IMPORT_ROWS", "50000"))
SYSTEM = "You triage support tickets. " * 30


def rows(number: int) -> dict[str, str]:
    return {
        "question": f"Ticket {number}: my invoice is wrong. " * 20,
        "answer": f'{{"category": "billing", "n": {number}}}',
    }


def as_lines(path: Path) -> None:
    with path.open("w") as file:
        for n in range(ROWS):
            row = rows(n)
            messages = [("system", SYSTEM), ("user", row["question"]), ("assistant", row["answer"])]
            told = {
                "messages": [{"role": role, "content": text} for role, text in messages],
                "metadata": {"plan": "pro"},
            }
            file.write(json.dumps(told) + "\n")


def as_table(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["system", "question", "answer", "plan"])
        writer.writerows([SYSTEM, *rows(n).values(), "pro"] for n in range(ROWS))


def as_parquet(path: Path) -> None:
    table = pa.Table.from_pylist([{"system": SYSTEM, **rows(n), "plan": "pro"} for n in range(ROWS)])
    pq.write_table(table, path, row_group_size=10_000)


@pytest.mark.parametrize("write", [as_lines, as_table, as_parquet])
def test_rows_a_second(
    tmp_path: Path,
    settings: Settings,
    database: Database,
    artifacts: Artifacts,
    project: Project,
    write: Callable[[Path], None],
) -> None:
    path = tmp_path / "file"
    write(path)
    spec = {"path": str(path), "project_id": project.id, "filename": "file"}
    context = JobContext("job", 1, "import", spec, tmp_path / "run", settings, database, artifacts)
    began = time.perf_counter()
    result = import_file(context)
    took = time.perf_counter() - began
    speed, megabytes = ROWS / took, path.stat().st_size / took / 1e6
    print(f"\n{write.__name__[3:]}: {speed:,.0f} rows/s ({megabytes:.1f} MB/s), load {os.getloadavg()[0]:.1f}")
    assert result["imported"] == ROWS

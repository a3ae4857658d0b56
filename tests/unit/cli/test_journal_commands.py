"""The journal's commands, typed as an operator types them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.tables import Project
from storage.types import new_id
from studio.bootstrap import Studio
from studio.capture.drain import Drain
from studio.capture.journal import Journal
from studio.capture.record import FEEDBACK, Record
from studio.capture.segments import KEPT
from studio.errors import InvalidInput, NotFound

Type = Callable[..., str]


@pytest.fixture
def journal(studio: Studio, project: Project) -> Journal:
    """Three calls, and feedback on one that has not come."""
    made = Journal(studio.settings.journal)
    for number in range(3):
        meta = {"uid": f"u{number}", "at": 1.79e9, "project_id": project.id, "model": "m"}
        request = {"messages": [{"role": "user", "content": f"question {number}"}]}
        made.append(Record(meta, json.dumps(request).encode(), b'{"choices":[{"message":{"content":"yes"}}]}').pack())
    said = {"uid": "later", "kind": "thumbs", "value": 1}
    meta = {"kind": FEEDBACK, "uid": new_id(), "at": 1.79e9 + 1e9, "project_id": project.id, "feedback": said}
    made.append(Record(meta).pack())
    return made


def test_status_tells_what_waits_and_what_is_kept(studio: Studio, typed: Type, journal: Journal) -> None:
    assert "written" in typed("journal", "status")
    journal.close()
    assert "waiting" in typed("journal", "status")
    Drain(studio.database, studio.settings.journal, keep_hours=1).once()
    said = typed("journal", "status")
    assert "kept" in said and "0.0 MB wait" in said and "1 pieces of feedback wait" in said


def test_verify_names_the_damaged_bytes(studio: Studio, typed: Type, journal: Journal) -> None:
    journal.close()
    assert "none" in typed("journal", "verify")
    [path] = studio.settings.journal.glob("*.journal")
    with path.open("r+b") as file:
        file.seek(20)
        file.write(b"hurt")
    with pytest.raises(SystemExit):
        typed("journal", "verify")
    with pytest.raises(NotFound, match="nothing at"):
        typed("journal", "verify", str(path.with_name("other.journal")))


def test_a_copied_segment_is_taken_in_once(studio: Studio, typed: Type, journal: Journal, tmp_path: Path) -> None:
    journal.close()
    copies = tmp_path / "copies"
    shutil.copytree(studio.settings.journal, copies)
    assert "No segment is kept" in typed("journal", "replay")
    assert "4 records, 3 calls were not in the database" in typed("journal", "replay", str(copies))
    assert "4 records, 0 calls were not in the database" in typed("journal", "replay", str(copies))
    Drain(studio.database, studio.settings.journal, keep_hours=1).once()
    assert list((studio.settings.journal / KEPT).glob("*.journal"))
    assert "4 records, 0 calls" in typed("journal", "replay")
    other = tmp_path / "notes.txt"
    other.write_text("x")
    with pytest.raises(InvalidInput, match="no journal segment"):
        typed("journal", "replay", str(other))

"""The recorder: whatever a body makes it trip over, the caller gets their answer."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from studio.capture.journal import Journal
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.privacy.policy import FULL, Policy
from studio.capture.privacy.redactor import Redactor
from studio.capture.record import Record
from studio.capture.recorder import UNCLEAN, Recorder
from studio.capture.segments import segments


class Trips(Cleaner):
    """A cleaner with a fault that one project's bodies meet."""

    def record(self, record: Record) -> Record | None:
        if record.meta["project_id"] == "odd":
            raise RecursionError(f"cannot read {record.request!r}")
        return super().record(record)


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    def policy(project_id: str) -> Policy:
        return Policy(record="off") if project_id == "off" else FULL

    return Recorder(Journal(tmp_path), Trips(Redactor(b"key"), policy))


def test_a_call_that_cannot_be_cleaned_is_not_written_and_counted(
    recorder: Recorder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert not recorder.call({"uid": "a", "project_id": "odd"}, b"the secret text", b"")
    assert recorder.call({"uid": "b", "project_id": "fine"}, b"{}", b"{}")
    assert recorder.journal.refused == {UNCLEAN: 1} and recorder.journal.written == 1
    assert "RecursionError" in caplog.text and "the secret text" not in caplog.text
    recorder.journal.close()
    assert b"the secret text" not in b"".join(each.path.read_bytes() for each in segments(tmp_path))


def test_what_a_project_does_not_want_recorded_is_no_failure(recorder: Recorder) -> None:
    assert recorder.call({"uid": "a", "project_id": "off"}, b"{}", b"{}")
    assert recorder.journal.written == 0 and not recorder.journal.refused

"""The drain moves every record into the database exactly once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from storage.database import Database
from storage.repositories.logs import LogEntryRepository
from storage.tables import JournalPosition, LogEntry, LogHour, Project
from storage.types import new_id
from studio.capture.batch import Stretch
from studio.capture.drain import CHECKPOINT_PAGES, WORDS_BYTES, Drain, make_bulky
from studio.capture.feedback import FeedbackIntake
from studio.capture.filters import LogFilter
from studio.capture.journal import Journal
from studio.capture.logs import Logs
from studio.capture.record import FEEDBACK, Record
from studio.capture.replay import journal_state, replay, verify
from studio.capture.segments import KEPT, segments
from studio.errors import InvalidInput, NotFound
from studio.settings import Settings

MakeRecord = Callable[..., Record]


@pytest.fixture
def journal(settings: Settings) -> Journal:
    return Journal(settings.journal)


@pytest.fixture
def drain(database: Database, settings: Settings) -> Drain:
    return Drain(database, settings.journal)


def entries(database: Database) -> list[LogEntry]:
    with database.read() as session:
        return LogEntryRepository(session).find()


def feedback(project: Project, **said: Any) -> Record:
    meta = {"kind": FEEDBACK, "uid": new_id(), "at": time.time(), "project_id": project.id, "feedback": said}
    return Record(meta)


def test_calls_arrive_with_their_hour_counted(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord
) -> None:
    for number in range(3):
        journal.append(make_record(f"question {number}", prices={"prompt": 2.0, "completion": 4.0}).pack())
    assert drain.once() == 3 and drain.once() == 0
    rows = entries(database)
    assert [row.prompt_text for row in rows] == ["question 0", "question 1", "question 2"]
    with database.read() as session:
        hour = session.query(LogHour).one()
    assert (hour.calls, hour.prompt_tokens, hour.completion_tokens) == (3, 30, 15)
    assert hour.cost_usd == pytest.approx(3 * (10 * 2 + 5 * 4) / 1e6)


def test_draining_again_after_the_position_was_lost_changes_nothing(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord, project: Project
) -> None:
    record = make_record()
    journal.append(record.pack())
    journal.append(feedback(project, uid=record.meta["uid"], kind="comment", text="fine").pack())
    drain.once()
    with database.write() as session:
        session.query(JournalPosition).delete()
    drain.once()
    [entry] = entries(database)
    logs = Logs(database)
    assert logs.count(LogFilter(project.id)).n == 1 and len(logs.feedback_of(entry)) == 1


def test_a_finished_segment_is_deleted_once_drained_and_an_open_one_kept(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord
) -> None:
    journal.append(make_record().pack())
    drain.once()
    assert len(segments(journal.folder)) == 1
    journal.append(make_record().pack())
    journal.close()
    drain.once()
    assert segments(journal.folder) == [] and len(entries(database)) == 2
    with database.read() as session:
        assert session.query(JournalPosition).count() == 0


def test_a_torn_tail_is_set_aside_and_the_rest_goes_in(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord
) -> None:
    journal.append(make_record("whole").pack())
    journal.append(make_record("torn").pack())
    journal.close()
    [segment] = segments(journal.folder)
    os.truncate(segment.path, segment.size() - 5)
    drain.once()
    assert [row.prompt_text for row in entries(database)] == ["whole"]
    [kept] = (journal.folder / "damaged").iterdir()
    assert b"torn" in kept.read_bytes()


def test_batches_are_bounded_and_complete(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord
) -> None:
    for _ in range(1203):
        journal.append(make_record().pack())
    assert drain.once() == 1203 and len(entries(database)) == 1203


def test_a_failed_commit_keeps_the_records_for_the_next_time(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.append(make_record().pack())
    away = OperationalError("insert", {}, Exception("disk I/O error"))

    def refuse(*_: object) -> None:
        raise away

    with monkeypatch.context() as patch:
        patch.setattr(LogEntryRepository, "insert", refuse)
        assert drain._try(0.05) == 0.5
    assert entries(database) == []
    assert drain._try(0.5) == 0.0 and len(entries(database)) == 1


def test_damage_costs_only_itself(drain: Drain, journal: Journal, database: Database, make_record: MakeRecord) -> None:
    for prompt in ("one", "two", "three"):
        journal.append(make_record(prompt).pack())
    journal.append(b"whole, but no record of ours")
    [segment] = segments(journal.folder)
    middle = list(segment.pieces(0, finished=False))[1]
    with segment.path.open("r+b") as file:
        file.seek(middle.end - 3)
        file.write(b"???")
    assert drain.once() == 2 and [row.prompt_text for row in entries(database)] == ["one", "three"]
    kept = sorted((journal.folder / "damaged").iterdir(), key=lambda path: path.stat().st_size)
    assert b"no record of ours" in kept[0].read_bytes() and b"two" in kept[1].read_bytes()
    journal.append(make_record("four").pack())
    assert drain.once() == 1


def test_what_the_database_refuses_is_set_aside_and_the_rest_goes_in(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord
) -> None:
    for prompt in ("one", "two", "three"):
        journal.append(make_record(prompt).pack())
    with database.write() as session:
        session.execute(
            text(
                "CREATE TRIGGER no_two BEFORE INSERT ON log_entry WHEN new.prompt_text = 'two' BEGIN"
                " SELECT RAISE(ABORT, 'refused'); END"
            )
        )
    drain.once()
    assert [row.prompt_text for row in entries(database)] == ["one", "three"]
    [kept] = (journal.folder / "damaged").iterdir()
    assert b"two" in kept.read_bytes() and drain.once() == 0


def test_a_refused_record_in_a_large_batch_whose_end_is_torn_costs_only_itself(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord
) -> None:
    prompts = [f"prompt {number}" for number in range(120)]
    for prompt in prompts:
        journal.append(make_record(prompt).pack())
    journal.close()
    [segment] = segments(journal.folder)
    with segment.path.open("ab") as file:
        file.write(b"the beginning of a frame")
    with database.write() as session:
        session.execute(
            text(
                "CREATE TRIGGER no_77 BEFORE INSERT ON log_entry WHEN new.prompt_text = 'prompt 77' BEGIN"
                " SELECT RAISE(ABORT, 'refused'); END"
            )
        )
    drain.once()
    prompts.remove("prompt 77")
    assert [row.prompt_text for row in entries(database)] == prompts
    kept = b"".join(path.read_bytes() for path in (journal.folder / "damaged").iterdir())
    assert b"prompt 77" in kept and b"the beginning of a frame" in kept and segments(journal.folder) == []


def test_a_recorder_sets_its_database_up_for_batches_and_words_are_found_all_the_same(
    database: Database, drain: Drain, journal: Journal, make_record: MakeRecord
) -> None:
    for _ in range(2):
        make_bulky(database)
    journal.append(make_record("a quetzal in the garden").pack())
    drain.once()
    with database.read() as session:
        told = "SELECT v FROM log_search_config WHERE k = 'hashsize'"
        assert session.scalar(text(told)) == WORDS_BYTES
        assert session.scalar(text("PRAGMA wal_autocheckpoint")) == CHECKPOINT_PAGES
        assert session.scalar(text("SELECT count(*) FROM log_search WHERE log_search MATCH 'quetzal'")) == 1


def test_much_is_read_ahead_by_a_helper_process_and_arrives_in_order(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.capture.drain.MUCH", 0)
    monkeypatch.setattr("studio.capture.drain.Stretch", partial(Stretch, most_rows=1000))
    for number in range(2500):
        journal.append(make_record(f"question {number}").pack())
    assert drain.sweep() == 2500
    helper = drain._reader
    assert helper is not None and [row.prompt_text for row in entries(database)][-1] == "question 2499"
    journal.append(make_record("one more").pack())
    helper._process.kill()
    assert drain.sweep() == 1, "a helper that died is done without"
    assert drain.sweep() == 0 and drain._reader is None


def test_drained_segments_are_kept_as_long_as_asked_and_replayed_without_doubling(
    database: Database, journal: Journal, make_record: MakeRecord, project: Project, settings: Settings
) -> None:
    record = make_record("again")
    for each in (record, feedback(project, uid=record.meta["uid"], kind="thumbs", value=1)):
        journal.append(each.pack())
    journal.close()
    drain = Drain(database, settings.journal, keep_hours=1)
    assert drain.once() == 2 and segments(settings.journal) == []
    [kept] = segments(settings.journal / KEPT)
    assert verify(kept).records == 2 and journal_state(database, settings.journal).waiting == 0
    done = replay(database, settings.journal, kept)
    assert (done.records, done.calls) == (2, 0) and len(Logs(database).feedback_of(entries(database)[0])) == 1
    with database.write() as session:
        LogEntryRepository(session).delete_calls(project.id, [entries(database)[0].id or 0])
    assert replay(database, settings.journal, kept).calls == 1 and entries(database)[0].rating == "up"
    drain.keep_hours = 0
    drain._tidied_at = -1e9
    drain.once()
    assert segments(settings.journal / KEPT) == []


def test_calls_outlive_what_answered_them_but_not_their_project(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord
) -> None:
    journal.append(make_record("kept", provider_id="gone", deployment_id="gone", revision_id="gone").pack())
    journal.append(make_record("dropped", project_id="gone").pack())
    drain.once()
    [entry] = entries(database)
    assert entry.prompt_text == "kept" and entry.provider_id is None and entry.deployment_id is None


def test_an_upstream_that_repeats_its_ids_loses_no_call(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord
) -> None:
    for _ in range(3):
        journal.append(make_record(external_id="chatcmpl-same").pack())
    drain.once()
    assert [row.external_id for row in entries(database)] == ["chatcmpl-same", None, None]


@pytest.mark.parametrize(
    ("request_body", "reply"),
    [
        (b"", b""),
        (b"not json", b"not json"),
        (b"[1,2]", b"null"),
        (b'{"messages": "x", "tools": 3, "metadata": [1]}', b'{"choices": "x", "usage": {"prompt_tokens": "many"}}'),
        (
            b'{"messages": [{"role": "user", "content": "a\\u0000b"}]}',
            b'{"choices":[{"message":{"content":"\\u0000"}}]}',
        ),
        (b'{"messages": [{"role": "user", "content": [{"type": "image_url"}, 5]}]}', b"\xff\xfe"),
    ],
)
def test_odd_bodies_are_recorded_as_far_as_they_go(
    drain: Drain,
    journal: Journal,
    database: Database,
    make_record: MakeRecord,
    request_body: bytes,
    reply: bytes,
) -> None:
    made = make_record()
    journal.append(Record(made.meta, request_body, reply).pack())
    drain.once()
    [entry] = entries(database)
    assert entry.uid == made.meta["uid"] and "\x00" not in entry.prompt_text


def test_feedback_sets_the_latest_rating_and_correction(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord, project: Project
) -> None:
    record = make_record(external_id="e1")
    journal.append(record.pack())
    journal.append(feedback(project, uid=record.meta["uid"], kind="thumbs", value=1).pack())
    journal.append(feedback(project, external_id="e1", kind="thumbs", value=0).pack())
    journal.append(feedback(project, external_id="e1", kind="correction", text="better").pack())
    drain.once()
    [entry] = entries(database)
    assert (entry.rating, entry.correction) == ("down", "better")
    assert [row.kind for row in Logs(database).feedback_of(entry)] == ["thumbs", "thumbs", "correction"]


def test_feedback_that_comes_before_its_call_waits_for_it(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord, project: Project, settings: Settings
) -> None:
    record = make_record()
    journal.append(feedback(project, uid=record.meta["uid"], kind="thumbs", value=1).pack())
    drain.once()
    journal.append(record.pack())
    drain.once()
    Drain(database, settings.journal).once()  # another process finds what waits
    assert [row.rating for row in entries(database)] == ["up"]
    assert list((settings.journal / "held").iterdir()) == []


def test_feedback_on_a_call_that_never_comes_is_dropped_after_a_day(
    drain: Drain, journal: Journal, project: Project, settings: Settings
) -> None:
    record = feedback(project, uid="never", kind="thumbs", value=1)
    record.meta["at"] -= 90_000
    journal.append(record.pack())
    drain.once()
    Drain(drain.database, settings.journal).once()
    assert list((settings.journal / "held").iterdir()) == []


def test_feedback_of_another_project_changes_nothing(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord
) -> None:
    record = make_record()
    journal.append(record.pack())
    stranger = Project(name="other")
    with database.write() as session:
        session.add(stranger)
    journal.append(feedback(stranger, uid=record.meta["uid"], kind="thumbs", value=0).pack())
    drain.once()
    assert entries(database)[0].rating is None


def test_people_give_feedback_by_tags_too(
    drain: Drain, journal: Journal, database: Database, make_record: MakeRecord, project: Project
) -> None:
    for run in ("a", "a", "b"):
        journal.append(make_record(tags={"run": run}).pack())
    drain.once()
    intake = FeedbackIntake(database)
    assert len(intake.give(project.id, tags={"run": "a"}, kind="metric", name="csat", value=4)) == 2
    with pytest.raises(NotFound, match="x-whetstone-log-id"):
        intake.give(project.id, uid="unknown", kind="thumbs", value=1)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"kind": "thumbs", "value": 1}, "which call"),
        ({"uid": "u", "kind": "thumbs", "value": 3}, "1 .up. or 0"),
        ({"uid": "u", "kind": "score"}, "needs a value"),
        ({"uid": "u", "kind": "correction", "text": " "}, "needs a text"),
        ({"uid": "u", "kind": "shout"}, "kind"),
    ],
)
def test_unclear_feedback_is_refused_with_the_reason(
    database: Database, project: Project, said: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidInput, match=reason):
        FeedbackIntake(database).give(project.id, **said)


def test_the_redaction_key_never_lies_in_the_journal(settings: Settings, journal: Journal) -> None:
    journal.append(b"x")
    assert {path.suffix for path in Path(settings.journal).iterdir()} == {".journal"}

"""The journal keeps what it acknowledged, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from studio.capture.journal import Journal
from studio.capture.privacy.redactor import Redactor
from studio.capture.record import Record
from studio.capture.room import Room
from studio.capture.segments import Segment, segments


def payloads(folder: Path) -> list[bytes]:
    return [payload for segment in segments(folder) for payload, _ in segment.frames(0)]


def test_what_was_appended_is_read_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    written = [os.urandom(size) for size in (0, 1, 100, 70_000)]
    assert all(journal.append(payload) for payload in written)
    assert payloads(journal.folder) == written and journal.written == 4


def test_segments_roll_and_only_the_newest_is_held(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=100)
    for _ in range(4):
        journal.append(b"x" * 60)
    journal.sync()
    found = segments(tmp_path)
    assert [segment.is_finished() for segment in found] == [True, False]
    journal.close()
    assert all(segment.is_finished() for segment in found)


def test_frames_start_where_one_asks(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"first")
    journal.append(b"second")
    [segment] = segments(tmp_path)
    (_, behind_first), (_, end) = segment.frames(0)
    assert [payload for payload, _ in segment.frames(behind_first)] == [b"second"]
    assert list(segment.frames(end)) == [] and end == segment.size()


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 12])
def test_a_torn_tail_hides_nothing_before_it(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path)
    journal.append(b"kept")
    journal.append(b"torn!")
    journal.close()
    [segment] = segments(tmp_path)
    os.truncate(segment.path, segment.size() - cut)
    assert payloads(tmp_path) == [b"kept"]


def test_a_damaged_frame_is_never_taken_for_a_record(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"good")
    journal.append(b"evil")
    journal.close()
    [segment] = segments(tmp_path)
    body = bytearray(segment.path.read_bytes())
    body[-1] ^= 1
    segment.path.write_bytes(body)
    assert payloads(tmp_path) == [b"good"]


def test_damage_in_the_middle_hides_no_frame_after_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    written = [os.urandom(size) for size in (40, 900, 70_000, 0, 3_000_000, 5)]
    assert all(journal.append(payload) for payload in written)
    journal.close()
    [segment] = segments(tmp_path)
    whole = list(segment.pieces(0, finished=True))
    for hurt in range(len(written)):
        body = bytearray(segment.path.read_bytes())
        for place in (whole[hurt].start, whole[hurt].start + 5, whole[hurt].end - 1):
            body[place] ^= 0x55
        copy = Segment(tmp_path / "copies" / segment.name)
        copy.path.parent.mkdir(exist_ok=True)
        copy.path.write_bytes(body)
        read = list(copy.pieces(0, finished=True))
        assert [(piece.start, piece.end) for piece in read] == [(piece.start, piece.end) for piece in whole]
        assert [piece.payload for piece in read if piece.payload is not None] == written[:hurt] + written[hurt + 1 :]


def test_zeros_where_a_power_cut_left_them_are_damage_between_whole_frames(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for payload in (b"a" * 3000, b"b" * 3000, b"c" * 3000, b"d"):
        journal.append(payload)
    journal.close()
    [segment] = segments(tmp_path)
    with segment.path.open("r+b") as file:
        file.write(bytes(4096))
    assert [piece.payload and piece.payload[:1] for piece in segment.pieces(0, True)] == [None, b"c", b"d"]


def test_a_payload_that_looks_like_a_frame_is_not_taken_for_one(tmp_path: Path) -> None:
    journal, other = Journal(tmp_path / "one"), Journal(tmp_path / "other")
    other.append(b"forged")
    other.close()
    [forged] = segments(other.folder)
    journal.append(b"x" + forged.path.read_bytes())
    journal.append(b"after")
    journal.close()
    [segment] = segments(journal.folder)
    with segment.path.open("r+b") as file:
        file.write(b"hurt")
    assert payloads(journal.folder) == [b"after"]


def test_segments_of_earlier_versions_are_still_read(tmp_path: Path) -> None:
    old = tmp_path / "00000000001790000000-12.journal"
    old.write_bytes(b"".join(struct.pack("<II", len(each), crc32(each)) + each for each in (b"one", b"two")))
    assert payloads(tmp_path) == [b"one", b"two"]


def test_a_frame_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"whole")
    [segment] = segments(tmp_path)
    with segment.path.open("ab") as file:
        file.write(segment.mark + b"\x05")
    assert [piece.payload for piece in segment.pieces(0, finished=False)] == [b"whole"]
    assert [piece.payload for piece in segment.pieces(0, finished=True)] == [b"whole", None]


def test_an_idle_writers_segment_is_finished_when_it_is_old(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_age_s=3600)
    journal.append(b"first")
    journal.rotate()
    journal.sync()
    assert [segment.is_finished() for segment in segments(tmp_path)] == [False]
    journal.segment_age_s = 0
    journal.rotate()
    journal.sync()
    assert [segment.is_finished() for segment in segments(tmp_path)] == [True]
    journal.append(b"second")
    assert payloads(tmp_path) == [b"first", b"second"]


@pytest.mark.parametrize(("policy", "synced"), [("never", 0), ("interval", 1), ("always", 3)])
def test_the_disk_is_asked_as_often_as_the_policy_says(
    tmp_path: Path, policy: Any, synced: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "fdatasync", asked.append)
    journal = Journal(tmp_path, fsync=policy)
    for _ in range(3):
        journal.append(b"x")
    journal.sync()
    journal.sync()
    assert len(asked) == synced


def test_a_full_journal_refuses_the_newest_and_takes_again_once_it_is_drained(tmp_path: Path) -> None:
    room = Room(tmp_path, most_bytes=200)
    journal = Journal(tmp_path, room=room)
    assert [journal.append(b"x" * 80) for _ in range(3)] == [True, True, False]
    assert journal.refused == {"no_room": 1} and "STUDIO_JOURNAL_MAX_MB" in journal.refusing
    assert payloads(tmp_path) == [b"x" * 80] * 2
    journal.close()
    segments(tmp_path)[0].path.unlink()
    room._looked_at = 0.0
    journal.sync()
    assert journal.append(b"y") and journal.written == 3 and journal.refusing == ""


def test_free_disk_is_left_to_the_database(tmp_path: Path) -> None:
    journal = Journal(tmp_path, room=Room(tmp_path, reserve_bytes=1 << 60))
    assert journal.append(b"x") is False and "STUDIO_JOURNAL_RESERVE_MB" in journal.refusing
    assert segments(tmp_path) == []


FULL_DISK = """
import resource, sys
from pathlib import Path
from studio.capture.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.append(b"a" * 500)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
assert journal.append(b"b" * 800) is False
assert journal.dropped == 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert journal.append(b"c" * 10)
"""


def test_a_full_disk_costs_the_record_and_nothing_else(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert payloads(tmp_path) == [b"a" * 500, b"c" * 10]
    assert "not recorded" in done.stderr


def test_a_record_reads_back_as_it_was_packed() -> None:
    record = Record({"uid": "u", "at": 1.5}, b"request", b"reply")
    assert Record.unpack(record.pack()) == record
    with pytest.raises(ValueError, match="add up"):
        Record.unpack(record.pack() + b"x")


@pytest.mark.parametrize("odd", [2**70, -(2**64), 10**400, "half \ud800", {3: "x"}, (1, 2), float("nan"), {1, 2}])
def test_odd_facts_are_no_reason_to_lose_a_call(odd: Any) -> None:
    meta = Record.unpack(Record({"uid": "u", "odd": odd}).pack()).meta
    assert meta["uid"] == "u" and "odd" in meta


def test_secrets_are_replaced_by_a_keyed_hash_that_tells_equal_from_different(tmp_path: Path) -> None:
    redactor = Redactor.of(tmp_path / "secrets")
    one, other = b"sk-abcdefghijklmnopqrstuvwx", b"wk-ABCDEFGHIJKLMNOPQRSTUVWX"
    cleaned = redactor.clean(b"use " + one + b" or " + other + b" or " + one)
    assert one not in cleaned and other not in cleaned
    assert cleaned == b"use %b or %b or %b" % (redactor.mark(one), redactor.mark(other), redactor.mark(one))
    assert redactor.clean(b"Authorization: Bearer abc.def-ghi_jkl012345=") == b"Authorization: Bearer " + redactor.mark(
        b"abc.def-ghi_jkl012345="
    )
    assert redactor.mark(one) == Redactor.of(tmp_path / "secrets").mark(one)
    assert redactor.mark(one) != Redactor.of(tmp_path / "others").mark(one)
    assert (tmp_path / "secrets" / "redact.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "token",
    [
        "wk-" + "a1" * 12,
        "sk-proj-" + "Ab_" * 10,
        "hf_" + "x" * 34,
        "ghp_" + "A1" * 18,
        "AKIAIOSFODNN7EXAMPLE",
        "AIza" + "Sy-" * 12,
        "xoxb-12345-" + "a" * 20,
    ],
)
def test_well_known_kinds_of_keys_are_recognised(token: str) -> None:
    assert token.encode() not in Redactor(b"k").clean(f'{{"content": "use {token}, please"}}'.encode())


@pytest.mark.parametrize(
    "text",
    [
        "sk-ärmavbrott and task-1234567890123456789012345",
        "a book-keeping risk-assessment-questionnaire-for-everybody",
        "skandinavistikprofessorinnenkonferenz ask-me",
        "the bearer of good news",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert Redactor(b"k").clean(text.encode()) == text.encode()

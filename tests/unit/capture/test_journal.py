"""The journal keeps what it acknowledged, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.capture.journal import Journal
from studio.capture.privacy.redactor import Redactor
from studio.capture.record import Record
from studio.capture.segments import segments


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

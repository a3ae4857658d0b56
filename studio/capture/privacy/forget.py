"""Forgetting a user's calls: in the journal, in feedback that waits, in the log and what hangs on it, in uploads."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from storage.artifacts import write_atomically
from storage.database import Database
from storage.repositories.forgetting import ForgettingRepository, Gone
from storage.repositories.jobs import JobRepository
from storage.repositories.logs import LogEntryRepository
from studio.capture.held import ASIDE
from studio.capture.journal import HEADER, ROTATE
from studio.capture.privacy.forgotten import Forgotten, user_of
from studio.capture.record import Record
from studio.capture.segments import DAMAGED, EARLIER, KEPT, Segment, segments
from studio.settings import Settings

BATCH = 200
INDEX = ("explorer.duckdb", "explorer.duckdb.wal")
"""The explorer's index: deleted rows stay readable in its pages; without the file it is built again."""
MARK = re.compile(r"\[([a-z][a-z0-9_-]{0,39}:[a-z]{12})\]")
ON_THE_WAY = ("waiting.jsonl", "errors.jsonl")
"""What an import keeps beside its job: feedback whose call is not there, and rows it could not read."""


class State:
    """`CallsForgotten` beside the job, so that a killed job goes on and its report stays exact."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "forgetting.json"

    def load(self) -> CallsForgotten:
        """What earlier attempts did."""
        if not self.path.exists():
            return CallsForgotten()
        found = json.loads(self.path.read_bytes())
        done = CallsForgotten()
        for name, each in found.items():
            setattr(done, name, set(each) if isinstance(each, list) else each)
        return done

    def save(self, done: CallsForgotten) -> None:
        """Keep it, whole or not at all."""
        told = {name: sorted(each) if isinstance(each, set) else each for name, each in vars(done).items()}
        write_atomically(self.path, json.dumps(told).encode())

    def clear(self) -> None:
        """It names calls; once they are gone nothing of it stays."""
        self.path.unlink(missing_ok=True)


@dataclass
class CallsForgotten:
    """What went; `examples` is what was made of the calls and still has to go."""

    at: float = field(default_factory=time.time)
    """When the first attempt began."""
    calls: int = 0
    feedback: int = 0
    held: int = 0
    journal: int = 0
    damaged: int = 0
    uploads: int = 0
    pseudonyms: int = 0
    examples: set[str] = field(default_factory=set)
    uids: set[str] = field(default_factory=set)
    """Also external and trace ids: what feedback names the calls by."""
    tokens: set[str] = field(default_factory=set)


def stop_arrivals(settings: Settings, project_id: str, users: Collection[str], at: float) -> None:
    """First of all: what still lies in the journal of these users is dropped by whoever reads it."""
    Forgotten(settings.journal).add(project_id, users, at)


def forget_calls(
    database: Database,
    project_id: str,
    users: Collection[str],
    done: CallsForgotten,
    keep: Callable[[CallsForgotten], None],
) -> None:
    """Delete their calls with all that hangs on them, a batch at a time; notes the examples made of them."""
    while some := _calls(database, project_id, users, done):
        keep(done)  # before they go: a killed job finds here what they were called
        with database.write() as session:
            LogEntryRepository(session).lock_arrival()  # before rows of examples, as all who delete calls do
            asked, ids = ForgettingRepository(session), [each.id for each in some]
            asked.note_users(ids)
            done.calls += LogEntryRepository(session).delete_calls(project_id, ids)
        keep(done)
    with database.write() as session:
        asked = ForgettingRepository(session)
        done.examples |= asked.examples_of(project_id, [], users)
        done.feedback += asked.feedback_by(project_id, users)
    keep(done)


def forget_pseudonyms(database: Database, project_id: str, users: Collection[str], done: CallsForgotten) -> None:
    """Delete what stands behind the marks of their calls and of their own ids."""
    done.tokens |= {user.strip("[]") for user in users if MARK.fullmatch(user)}
    with database.write() as session:
        done.pseudonyms += ForgettingRepository(session).pseudonyms(project_id, done.tokens)


def forget_files(
    settings: Settings, database: Database, project_id: str, users: Collection[str], done: CallsForgotten
) -> None:
    """Held feedback, drained segments that are kept, pieces nobody can read, and uploads of the project."""
    for path in _files(settings.journal / "held"):
        if path.suffix == ASIDE or (not path.suffix and _held_is_about(path, project_id, users, done.uids)):
            path.unlink(missing_ok=True)
            done.held += 1
    for segment in segments(settings.journal / KEPT):
        done.journal += _rewrite(segment, project_id, users, done.uids)
    for path in _files(settings.journal / DAMAGED):
        path.unlink(missing_ok=True)
        done.damaged += 1
    for name in INDEX:
        (settings.root / name).unlink(missing_ok=True)
    done.uploads += _forget_uploads(settings, database, project_id)


def wait_for_journal(settings: Settings, at: float, until: float, tell: Callable[[], None]) -> int:
    """Wait until segments from before `at` are drained and gone; how many are left when nobody drains any more."""
    (settings.journal / ROTATE).touch() if settings.journal.is_dir() else None
    while left := [each for each in segments(settings.journal) if _began(each) <= at]:
        if time.time() > until or not _somebody_drains(settings.journal):
            return len(left)
        tell()
        time.sleep(0.2)
    return 0


def _calls(database: Database, project_id: str, users: Collection[str], done: CallsForgotten) -> list[Gone]:
    with database.read() as session:
        some = ForgettingRepository(session).calls_of(project_id, users, BATCH)
    for each in some:
        done.uids |= {name for name in (each.uid, each.external_id, each.trace_id) if name}
        done.tokens |= set(MARK.findall(each.texts))
    return some


def _is_about(record: Record, project_id: str, users: Collection[str], uids: Collection[str]) -> bool:
    if record.meta.get("project_id") != project_id:
        return False
    said = record.meta.get("feedback") or {}
    named = {record.meta.get("uid"), *(said.get(name) for name in ("uid", "external_id", "trace_id"))}
    return user_of(record) in users or bool(named & set(uids))


def _held_is_about(path: Path, project_id: str, users: Collection[str], uids: Collection[str]) -> bool:
    """What cannot be read may be about anybody."""
    try:
        return _is_about(Record.unpack(path.read_bytes()), project_id, users, uids)
    except FileNotFoundError:  # its call came meanwhile
        return False
    except ValueError:
        return True


def _rewrite(segment: Segment, project_id: str, users: Collection[str], uids: Collection[str]) -> int:
    """Write a kept segment again without the records that go; how many there were."""
    kept, gone = [], 0
    for payload, _end in segment.frames(0):
        if _is_about(Record.unpack(payload), project_id, users, uids):
            gone += 1
        else:
            header = HEADER.pack(segment.mark, len(payload), crc32(payload)) if segment.mark else b""
            kept.append((header or _earlier(payload)) + payload)
    if gone:
        write_atomically(segment.path, b"".join(kept))
    return gone


def _earlier(payload: bytes) -> bytes:
    return EARLIER.pack(len(payload), crc32(payload))


def _forget_uploads(settings: Settings, database: Database, project_id: str) -> int:
    """Uploads of the project that no import is reading: nobody can tell whose calls are in them."""
    with database.read() as session:
        reading = [str(job.spec) for job in JobRepository(session).unfinished(project_id, ("import",))]
        imports = JobRepository(session).recent(project_id, 1000, ("import",))
    gone = 0
    for path in _files(settings.root / "uploads"):
        if any(path.name in spec for spec in reading) or not _belongs(path, project_id):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        gone += 1
    for job in imports:
        for name in ON_THE_WAY if job.finished_at else ():
            (settings.runs / job.id / "work" / name).unlink(missing_ok=True)
    return gone


def _belongs(path: Path, project_id: str) -> bool:
    """Whether an upload is the project's; one that does not say whose it is could be."""
    about = path / "about.json"
    return not about.is_file() or json.loads(about.read_text()).get("project_id") == project_id


def _somebody_drains(folder: Path) -> bool:
    with (folder / ".drain.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _began(segment: Segment) -> float:
    return int(segment.name.partition("-")[0]) / 1e9

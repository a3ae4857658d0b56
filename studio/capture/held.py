"""Feedback that came before its call: kept in files beside the journal and tried again until the call is there."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session

from studio.capture.record import Record
from studio.capture.targets import Target, perhaps_here

KEEP_S = 24 * 3600.0
RETRY_S = 1.0
SELDOMEST_S = 60.0
PATIENCE = 20
"""What has waited this many times longer is looked for that much less often."""
NEW = ".new"
ASIDE = ".refused"

log = logging.getLogger(__name__)


@dataclass
class Waiting:
    """What is remembered of a held record; the rest stays in its file."""

    project_id: str
    target: Target
    at: float
    next_at: float = 0.0


class Held:
    """A folder of records that wait for their call; thousands cost a few queries now and then."""

    def __init__(self, folder: Path, keep_s: float = KEEP_S) -> None:
        self.folder = folder
        self.keep_s = keep_s
        self._waiting: dict[str, Waiting] | None = None
        self._tried_at = 0.0

    def put(self, record: Record) -> None:
        """Keep a record; it is on the disk when this returns."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / str(record.meta["uid"])
        fresh = path.with_suffix(NEW)
        with fresh.open("wb") as file:
            file.write(record.pack())
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        if self._waiting is not None:
            self._waiting[path.name] = _waiting(record)

    def due(self) -> dict[str, Waiting]:
        """What is to be looked for now, by its uid: at most once a second, and what waits for long more seldom."""
        if time.monotonic() - self._tried_at < RETRY_S:
            return {}
        self._tried_at, now = time.monotonic(), time.time()
        found = {uid: held for uid, held in self._all().items() if held.next_at <= now}
        for held in found.values():
            held.next_at = now + min(max((now - held.at) / PATIENCE, RETRY_S), SELDOMEST_S)
        return found

    def arrived(self, session: Session, due: dict[str, Waiting]) -> Iterator[Record]:
        """Those of the due records whose call may be here by now; what waited too long is dropped."""
        here = perhaps_here(session, ((uid, held.project_id, held.target) for uid, held in due.items()))
        self._drop(uid for uid, held in due.items() if uid not in here and self._is_over(held.at))
        return (record for uid in sorted(here) if (record := self._read(uid)))

    def settle(self, record: Record, found: bool) -> None:
        """Drop a record whose call was found, or that has waited a day."""
        uid = str(record.meta["uid"])
        if found:
            self._forget(uid)
        elif self._is_over(float(record.meta["at"])):
            self._drop([uid])

    def refuse(self, record: Record, error: Exception) -> None:
        """The database will never take it: keep it aside."""
        self._set_aside(str(record.meta["uid"]), error)

    def _is_over(self, at: float) -> bool:
        return time.time() - at >= self.keep_s

    def _drop(self, uids: Iterable[str]) -> None:
        for uid in list(uids):
            log.warning("Feedback %s names a call that never came; it is dropped.", uid)
            self._forget(uid)

    def _forget(self, uid: str) -> None:
        if self._waiting:
            self._waiting.pop(uid, None)
        (self.folder / uid).unlink(missing_ok=True)

    def _all(self) -> dict[str, Waiting]:
        if self._waiting is None:
            paths = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
            found = ((path.name, self._read(path.name)) for path in paths if not path.suffix)
            self._waiting = {name: _waiting(record) for name, record in found if record}
        return self._waiting

    def _read(self, uid: str) -> Record | None:
        """A record; None, and set aside, where the file holds none."""
        try:
            record = Record.unpack((self.folder / uid).read_bytes())
            str(record.meta["uid"]), str(record.meta["project_id"]), record.at
        except FileNotFoundError:  # forgotten with its user, while it waited
            self._forget(uid)
            return None
        except (KeyError, TypeError, ValueError) as error:
            self._set_aside(uid, error)
            return None
        return record

    def _set_aside(self, uid: str, error: Exception) -> None:
        log.error("Feedback %s cannot be taken and is set aside as %s%s: %s", uid, uid, ASIDE, error)
        if self._waiting:
            self._waiting.pop(uid, None)
        with suppress(FileNotFoundError):
            (self.folder / uid).rename(self.folder / f"{uid}{ASIDE}")


def _waiting(record: Record) -> Waiting:
    meta: dict[str, Any] = record.meta
    try:
        target = Target.model_validate(meta.get("feedback") or {})
    except ValidationError:
        target = Target()
    return Waiting(str(meta["project_id"]), target, float(meta["at"]))

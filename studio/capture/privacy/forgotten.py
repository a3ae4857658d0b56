"""Users whose calls must not arrive any more: what of them still lies in the journal is dropped when it is read.

A segment that is being written is never rewritten. Instead a small file beside the segments names, as salted hashes,
the users who were forgotten and when; whoever reads the journal leaves their records out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from storage.artifacts import write_atomically
from studio.capture.record import FEEDBACK, Record
from studio.capture.text import parse_json
from studio.capture.wire.catalog import read_request

FILE = "forgotten.json"
KEPT_S = 90 * 24 * 3600.0
"""Longer than any segment or held feedback waits."""


class Forgotten:
    """The file of one journal folder; read again when it changes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._seen = (0, 0)
        self._rows: list[dict[str, Any]] = []

    def add(self, project_id: str, users: Iterable[str], at: float) -> None:
        """From now on leave out what these users said or asked until `at`."""
        salt = os.urandom(16).hex()
        told = [{"salt": salt, "user": _hash(salt, project_id, user), "at": at} for user in users]
        kept = [row for row in self._read() if time.time() - row["at"] < KEPT_S]
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self.path, json.dumps([*kept, *told]).encode())
        self.path.chmod(0o600)

    def names(self, record: Record) -> bool:
        """Whether the record is of a forgotten user, from before they were forgotten."""
        rows = self._read()
        return bool(rows) and _is_of(record, rows)

    def _read(self) -> list[dict[str, Any]]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return []
        if (found.st_mtime_ns, found.st_ino) != self._seen:
            self._rows = json.loads(self.path.read_bytes())
            self._seen = (found.st_mtime_ns, found.st_ino)
        return self._rows


def user_of(record: Record) -> str | None:
    """Who made the call, or gave the feedback."""
    meta = record.meta
    if record.kind == FEEDBACK:
        return str((meta.get("feedback") or {}).get("given_by") or "") or None
    if meta.get("user_id"):
        return str(meta["user_id"])
    request = parse_json(record.request)
    return read_request(str(meta.get("endpoint") or "chat"), request).user if isinstance(request, dict) else None


def _is_of(record: Record, rows: list[dict[str, Any]]) -> bool:
    user, project_id, at = user_of(record), str(record.meta.get("project_id")), float(record.meta.get("at") or 0)
    return bool(user) and any(
        at <= row["at"] and hmac.compare_digest(row["user"], _hash(row["salt"], project_id, str(user))) for row in rows
    )


def _hash(salt: str, project_id: str, user: str) -> str:
    return hmac.new(salt.encode(), f"{project_id}\0{user}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

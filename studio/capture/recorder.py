"""Recorder: hands what was captured to the journal, cleaned as the project says."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

from studio.capture.journal import Journal
from studio.capture.privacy.beside import Beside, Gone
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.record import FEEDBACK, Record

UNCLEAN = "cleaning"
SEARCHED, SCANNED = 32 << 10, 256 << 10
"""Bytes from which a record is cleaned beside: where personal data is looked for (10 ms and more), and else."""
MOST_WAITING = 64 << 20
"""Bytes that may wait for the helper; what comes then is written as facts, so that no caller waits for minutes."""
TRIES = 3
"""How often a record is cleaned whose policy changes meanwhile."""
FINISH_S = 15.0
"""How long a gateway that stops waits for records under way; then they are written as facts."""

log = logging.getLogger(__name__)


class Recorder:
    """Writes calls and feedback; False means that the disk refused, which never stops an answer."""

    def __init__(self, journal: Journal, cleaner: Cleaner, beside: Beside | None = None) -> None:
        """Without a helper everything is cleaned at once."""
        self.journal = journal
        self.cleaner = cleaner
        self.beside = beside
        self._waiting = 0
        self._under_way: set[asyncio.Task[bool]] = set()

    def call(self, meta: dict[str, Any], request: bytes, reply: bytes) -> bool:
        """Record a call that has ended, now."""
        return self._write(Record(meta, request, reply))

    def begin(self, meta: dict[str, Any], request: bytes, reply: bytes) -> asyncio.Task[bool] | None:
        """Record a call that has ended: now, or beside where it is big. Then the answer's end waits for the task."""
        record = Record(meta, request, reply)
        if not self._is_big(record):
            self._write(record)
            return None
        task = asyncio.ensure_future(self._write_beside(record))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def take(self, meta: dict[str, Any], request: bytes, reply: bytes) -> bool:
        """Record a call that is told, while others are served."""
        record = Record(meta, request, reply)
        return await self._write_beside(record) if self._is_big(record) else self._write(record)

    async def finish(self) -> None:
        """Wait for the records under way, and end the helper."""
        if self.beside is None:
            return
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=FINISH_S)
            if late:
                self.beside.refuse()
                await asyncio.wait(late)
        await asyncio.to_thread(self.beside.close)

    def feedback(self, uid: str, at: float, project_id: str, feedback: dict[str, Any]) -> bool:
        """Record feedback for the drain to apply."""
        meta = {"kind": FEEDBACK, "uid": uid, "at": at, "project_id": project_id, "feedback": feedback}
        return self._write(Record(meta))

    def _write(self, record: Record) -> bool:
        """What the project does not want recorded is dropped, and that is no failure."""
        try:
            cleaned = self.cleaner.record(record)
            payload = cleaned.pack() if cleaned else None
        except Exception as error:  # whatever a body makes the cleaning trip over: the caller gets their answer
            self._count_drop(error)
            return False
        return payload is None or self.journal.append(payload)

    def _is_big(self, record: Record) -> bool:
        size = len(record.request) + len(record.reply)
        if self.beside is None or size < SEARCHED:
            return False
        policy = self.cleaner.policy(str(record.meta.get("project_id")))
        return policy.record != "off" and (size >= SCANNED or policy.looks_for_personal_data)

    async def _write_beside(self, record: Record) -> bool:
        """Only what is cleaned is written; where that fails, facts without texts."""
        size = len(record.request) + len(record.reply)
        self._waiting += size
        try:
            payload = await self._cleaned_beside(record)
        except Gone as error:
            log.error("A big record is written without its texts: %s", error)
            return await self._write_bare(record)
        finally:
            self._waiting -= size
        return payload is None or self.journal.append(payload)

    async def _cleaned_beside(self, record: Record) -> bytes | None:
        """Cleaned by the policy that is in force when it is done, not only when it began."""
        assert self.beside is not None
        if self._waiting > MOST_WAITING:
            raise Gone("Too many big records wait to be cleaned.")
        project_id = str(record.meta.get("project_id"))
        for _ in range(TRIES):
            policy = self.cleaner.policy(project_id)
            payload = await asyncio.wrap_future(self.beside.clean(record, policy))
            if policy == self.cleaner.policy(project_id):
                return payload
        raise Gone("The project's policy changed again and again.")

    async def _write_bare(self, record: Record) -> bool:
        try:
            bare = await asyncio.to_thread(self.cleaner.bare, record)
            payload = bare.pack() if bare else None
        except Exception as error:  # the facts cannot be read either
            self._count_drop(error)
            return False
        return payload is None or self.journal.append(payload)

    def _count_drop(self, error: Exception) -> None:
        """Where it happened, without the error's own words: they may quote the text that was to be cleaned."""
        self.journal.refused[UNCLEAN] += 1
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("A record could not be cleaned and is not written (%s):\n%s", type(error).__name__, where)

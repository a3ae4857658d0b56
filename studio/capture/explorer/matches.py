"""Matches: the calls in which words occur, found in the database's text index step by step, newest first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from storage.database import Database
from storage.repositories.log_index import LogIndexRepository
from storage.repositories.log_search import STRETCHES, rest_on_reading

MOST = 20_000
"""Matches that are looked at for one search; a word that is in more calls is counted 'at least'."""
BUDGET_S = 0.04
FIRST, THEN = 1_000, 8_000
STEP_S = 0.01
FEW, MANY = 200, 5_000
READ, ENOUGH_READ, RARE = 128, 256, 0.05
"""Calls read at once where the index cannot tell; how many show that an unfinished word is rare enough for it."""
KEPT = 16


@dataclass
class Matches:
    """What was found: ids, newest first; all calls above `back_to` were searched."""

    ids: list[int] = field(default_factory=list)
    back_to: int = 0

    @property
    def complete(self) -> bool:
        """Whether the whole log was searched."""
        return self.back_to == 0


def find_matches(database: Database, project_id: str, words: str, below: int, down_to: int = 0) -> Matches:
    """Search below an id, down to another one, until there are enough or the time is up."""
    found, until = Matches(back_to=below), time.monotonic() + BUDGET_S
    with database.read() as session:
        reader = LogIndexRepository(session)
        walk = _rows(reader, words, below) if reader.sqlite else _stretches(reader, project_id, words, below)
        for ids, back_to in walk:
            found.ids += ids
            found.back_to = back_to
            if back_to <= down_to or len(found.ids) >= MOST or time.monotonic() > until:
                break
    return found


class Searches:
    """What was searched for lately: the parts of a page ask the same, and of new calls only those are searched."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._kept: OrderedDict[tuple[str, str], tuple[int, Matches]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, project_id: str, words: str, newest: int) -> Matches:
        """Matches among the calls up to an id."""
        key = (project_id, words)
        with self._lock:
            known = self._kept.get(key)
        found = known[1] if known and known[0] == newest else self._search(project_id, words, newest, known)
        with self._lock:
            self._kept[key] = (newest, found)
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def _search(self, project_id: str, words: str, newest: int, known: tuple[int, Matches] | None) -> Matches:
        if known and 0 < newest - known[0] <= FIRST:
            fresh = find_matches(self.database, project_id, words, newest + 1, down_to=known[0] + 1)
            if fresh.back_to <= known[0] + 1:
                added = [each for each in fresh.ids if each > known[0]]
                return Matches(added + known[1].ids, known[1].back_to)
        return find_matches(self.database, project_id, words, newest + 1)


def matching_of(database: Database, words: str, project_id: str, ids: list[int]) -> list[int]:
    """Those of a few calls of the project in which the words occur."""
    with database.read() as session:
        return LogIndexRepository(session).matching_of(words, project_id, ids) if ids else []


def _rows(reader: LogIndexRepository, words: str, below: int) -> Iterator[tuple[list[int], int]]:
    """SQLite's text index gives its rows in order."""
    size = FIRST
    while below > 0:
        began = time.monotonic()
        ids = reader.matching_before(words, below, size)
        below = ids[-1] if len(ids) == size else 0
        size = min(THEN, max(FIRST // 4, int(size * STEP_S / max(time.monotonic() - began, 1e-6))))
        yield ids, below


def _stretches(reader: LogIndexRepository, project_id: str, words: str, below: int) -> Iterator[tuple[list[int], int]]:
    """PostgreSQL's gives all rows of a stretch of ids: long ones where there are few."""
    in_a_row, unfinished = rest_on_reading(words)
    level, reading = 0, Reading(reader, words, project_id) if in_a_row or unfinished else None
    while below > 0:
        bits = STRETCHES[level]
        stretch = (below - 1) >> bits
        found = reader.matching_within(words, project_id, bits, stretch, loosely=reading is not None)
        ids = sorted((each for each in found if each < below), reverse=True)
        below = stretch << bits
        if len(ids) < FEW:
            level = min(level + 1, len(STRETCHES) - 1)
        elif len(ids) > MANY:
            level = max(level - 1, 0)
        if reading is None:
            yield ids, below
            continue
        for some, back_to in reading.of(ids, below):
            yield some, back_to
            if not in_a_row and reading.is_in_vain:  # the index knows such a word soon
                below, level, reading = back_to, 0, None
                break


class Reading:
    """Looks for the words in the calls themselves, a few at a time.

    PostgreSQL's index keeps no positions, so that every call that has all words of a phrase is read at once; and it
    gathers all calls of all words that begin like an unfinished one. Both take long just where many calls match.
    """

    def __init__(self, reader: LogIndexRepository, words: str, project_id: str) -> None:
        self.reader, self.words, self.project_id = reader, words, project_id
        self.read = self.found = 0

    @property
    def is_in_vain(self) -> bool:
        """Whether few of the calls that were read have the words."""
        return self.read >= ENOUGH_READ and self.found < self.read * RARE

    def of(self, ids: list[int], down_to: int) -> Iterator[tuple[list[int], int]]:
        """Those of the calls, newest first, that have the words, and how far back they are read."""
        for start in range(0, max(len(ids), 1), READ):
            some = ids[start : start + READ]
            found = sorted(self.reader.matching_of(self.words, self.project_id, some), reverse=True) if some else []
            self.read, self.found = self.read + len(some), self.found + len(found)
            yield found, some[-1] if start + READ < len(ids) else down_to

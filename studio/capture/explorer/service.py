"""Explorer: every question about captured calls, answered from the columns, words from the database's text index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from storage.database import Database
from storage.repositories.log_criteria import TEXT_CONDITIONS, values_of
from storage.repositories.log_index import LogIndexRepository
from storage.repositories.log_neighbours import LogNeighbourRepository
from storage.repositories.log_search import has_words
from storage.tables import LogEntry
from studio.capture.explorer import by_sql
from studio.capture.explorer.answers import FacetValue, Page, Point, Readiness, Related, Similar, Sort
from studio.capture.explorer.conditions import LOOKED_UP
from studio.capture.explorer.export import export
from studio.capture.explorer.facets import FACETS, count_facets, tag_names
from studio.capture.explorer.labels import label_facets
from studio.capture.explorer.matches import Searches, find_matches, matching_of
from studio.capture.explorer.neighbours import MOST_RELATED, around, by_signature, compared, turn_before
from studio.capture.explorer.questions import Question
from studio.capture.explorer.vectors import by_vectors
from studio.capture.filters import LogFilter
from studio.capture.logs import Count, LogRow, Logs
from studio.errors import InvalidInput

if TYPE_CHECKING:
    from studio.capture.explorer.columns import Columns
    from studio.capture.explorer.follow import Follower
    from studio.capture.explorer.kinds import Kinds

FEW = 300
"""Calls that are looked up one by one in the text index."""
LOOKED_UP_MOST = 10_000
BY_ARRIVAL = "~"
NEWEST_FIRST = Sort()


@dataclass(frozen=True)
class _Asked:
    """A question, and down to which id its words were searched (0: all)."""

    question: Question
    kinds: Kinds
    back_to: int = 0


class Explorer:
    """Answers from an index beside the database; while that is first built, from the database as far as it can."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.searches = Searches(database)
        self.logs = Logs(database)

    @cached_property
    def follower(self) -> Follower:
        """What keeps the index; DuckDB is loaded by the first question, not by every process of the studio."""
        from studio.capture.explorer.follow import Follower

        return Follower(self.database, self.folder)

    def readiness(self) -> Readiness:
        """Whether the index is there; else how far it is built."""
        return self.follower.readiness()

    def close(self) -> None:
        """Let go of the index."""
        if "follower" in self.__dict__:
            self.follower.close()

    def page(self, criteria: LogFilter, sort: Sort = NEWEST_FIRST, after: str | None = None, limit: int = 50) -> Page:
        """One page of calls; a search among very many stops early and says so."""
        below = _arrival(after)
        with self._ask(criteria, below) as asked:
            if asked is None:
                return by_sql.page(self.logs, criteria, below, limit)
            if below is not None or (asked.back_to and sort == NEWEST_FIRST):
                return self._page_by_arrival(asked, limit)
            ids, following = asked.question.page(sort, after, limit)
            back_to = asked.question.moment_of(asked.back_to) if asked.back_to else None
        return Page(self.rows(ids), following, back_to)

    def count(self, criteria: LogFilter) -> Count:
        """How many; at least so many where a search stopped early."""
        with self._ask(criteria) as asked:
            if asked is None:
                return self.logs.count(criteria)
            return Count(asked.question.count(), not asked.back_to)

    def facets(self, criteria: LogFilter, names: Sequence[str] = FACETS, most: int = 50) -> dict[str, list[FacetValue]]:
        """Values to filter by; of a search that stopped early, those of the calls it found."""
        with self._ask(criteria) as asked:
            if asked is None:
                found = by_sql.facets(self.logs, criteria)
            else:
                found = count_facets(asked.question, asked.kinds, names, most)
        return label_facets(self.database, criteria.project_id, {name: found.get(name, []) for name in names})

    def tag_names(self, criteria: LogFilter, most: int = 100) -> list[str]:
        """Names of the project's tags, most used first: facets to ask for as `tag:<name>`."""
        columns = self.follower.fresh()
        if columns is None:
            return list(self.logs.facets(criteria.project_id).tags)
        return tag_names(Question(columns.cursor(), criteria), most)

    def series(self, criteria: LogFilter, steps: int = 60) -> list[Point]:
        """The charts' points; of a search that stopped early, of the calls it found."""
        with self._ask(criteria) as asked:
            return by_sql.series(self.logs, criteria) if asked is None else asked.question.series(steps)

    def similar(self, project_id: str, uid: str, limit: int = 20) -> list[Similar]:
        """Calls whose prompt is like this one's, most alike first: by vectors where there are any, else by MinHash."""
        entry = self.logs.entry(project_id, uid)
        found = by_vectors(self.database, entry, limit)
        if found is None:
            columns = self.follower.fresh()
            candidates = by_signature(columns.cursor(), entry) if columns else []
            found = compared(self.database, entry, candidates, limit)
        alike = dict(found)
        return [Similar(row, alike[row.id]) for row in self.rows(list(alike))]

    def duplicates(self, project_id: str, uid: str, limit: int = 50) -> list[LogRow]:
        """Other calls that asked exactly the same, newest first."""
        entry = self.logs.entry(project_id, uid)
        with self.database.read() as session:
            same = LogNeighbourRepository(session).along(entry, "prompt_hash")
        return self.rows([number for _, number in reversed(same) if number != entry.id][:limit])

    def related(self, entry: LogEntry) -> Related:
        """Calls of its trace and of its session in order of time, and the turn of the conversation before it."""
        with self.database.read() as session:
            neighbours = LogNeighbourRepository(session)
            trace, talk = (neighbours.along(entry, name) for name in ("trace_id", "session_id"))
            previous = turn_before(session, entry)
        shown = [self.rows(around(entry, calls, MOST_RELATED)) for calls in (trace, talk)]
        return Related(shown[0], shown[1], previous)

    def export(self, criteria: LogFilter, kind: str, columns: Sequence[str] | None = None) -> Iterator[bytes]:
        """The filter's calls as a file (jsonl, csv or parquet), piece by piece, oldest first."""
        return export(self.database, criteria, kind, columns)

    def searched_back_to(self, criteria: LogFilter) -> datetime | None:
        """Where the search for the filter's words stopped; None where every call was searched."""
        with self._ask(criteria) as asked:
            return asked.question.moment_of(asked.back_to) if asked and asked.back_to else None

    def newest_id(self, project_id: str) -> int:
        """Id of the newest call; it grows with every call that arrives."""
        return self.logs.newest_id(project_id)

    def rows(self, ids: Sequence[int]) -> list[LogRow]:
        """What a list shows of these calls, in this order; without those that are gone."""
        with self.database.read() as session:
            found = LogIndexRepository(session).rows(ids)
        return [LogRow(**found[each]) for each in ids if each in found]

    @contextmanager
    def _ask(self, criteria: LogFilter, below: int | None = None) -> Iterator[_Asked | None]:
        columns = self.follower.fresh()
        if columns is None:
            yield None
            return
        with self.follower.guarded():
            cursor = columns.cursor()
            try:
                yield self._asked(columns, cursor, criteria, below)
            finally:
                cursor.close()

    def _asked(self, columns: Columns, cursor: object, criteria: LogFilter, below: int | None) -> _Asked:
        kinds, looked_up = columns.facts_of_kinds, self._looked_up(criteria)
        if not has_words(criteria):
            return _Asked(Question(cursor, criteria, looked_up, below), kinds)
        if below is None:
            plain = Question(cursor, criteria, looked_up)
            ids = plain.some_ids(FEW + 1)
            if len(ids) <= FEW:
                few = matching_of(self.database, criteria.text, criteria.project_id, ids)
                return _Asked(Question(cursor, criteria, few), kinds)
            found = self.searches.of(criteria.project_id, criteria.text, columns.position[0])
        else:
            found = find_matches(self.database, criteria.project_id, criteria.text, below)
        chosen = found.ids if looked_up is None else sorted({*found.ids} & {*looked_up})
        return _Asked(Question(cursor, criteria, chosen), kinds, found.back_to)

    def _looked_up(self, criteria: LogFilter) -> list[int] | None:
        """Ids of the calls that the database finds by its own indexes: traces, calls chosen by hand."""
        found: set[int] | None = None
        for name in LOOKED_UP:
            if values := values_of(criteria, name):
                with self.database.read() as session:
                    reader = LogIndexRepository(session)
                    ids = reader.ids_with(criteria.project_id, TEXT_CONDITIONS[name], values, LOOKED_UP_MOST)
                found = set(ids) if found is None else found & set(ids)
        return None if found is None else sorted(found)

    def _page_by_arrival(self, asked: _Asked, limit: int) -> Page:
        """Matches newest first; after the last one found, the next page goes on where the search stopped."""
        ids = asked.question.newest_ids(limit + 1)
        if len(ids) > limit:
            return Page(self.rows(ids[:limit]), f"{BY_ARRIVAL}{ids[limit - 1]}")
        if not asked.back_to:
            return Page(self.rows(ids))
        return Page(self.rows(ids), f"{BY_ARRIVAL}{asked.back_to}", asked.question.moment_of(asked.back_to))


def _arrival(after: str | None) -> int | None:
    if not after or not after.startswith(BY_ARRIVAL):
        return None
    number = after.removeprefix(BY_ARRIVAL)
    if not number.isdecimal() or len(number) > 18:
        raise InvalidInput("This page of the log cannot be found. Go back to the first page.")
    return int(number)

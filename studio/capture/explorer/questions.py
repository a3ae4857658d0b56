"""Question: one question about a filter, answered from the columns on a connection of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from studio.capture.explorer.answers import SORTS, Point, Sort
from studio.capture.explorer.conditions import (
    Where,
    as_moment,
    both_conditions,
    call_conditions,
    microseconds,
    time_conditions,
)
from studio.capture.explorer.kinds import Numbers
from studio.capture.filters import LogFilter
from studio.errors import InvalidInput

STEPS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000),
)

LARGEST = 2**62
SAMPLE = 200_000
"""In a log of more calls than this, percentiles are taken of every n-th call."""


class Question:
    """Reads the columns as they are. `chosen` narrows it to ids that the database found, `below` to earlier ones."""

    def __init__(
        self, cursor: Any, criteria: LogFilter, chosen: Sequence[int] | None = None, below: int | None = None
    ) -> None:
        self.cursor = cursor
        self.criteria = criteria
        self.narrowed, self.below = chosen is not None, below
        if chosen is not None:
            import pyarrow as pa

            cursor.register("chosen", pa.table({"id": pa.array(chosen, pa.int64())}))

    def where(self, without: str = "") -> Where:
        """The filter's conditions on the table `call`."""
        where = self.start()
        both_conditions(where, self.criteria, self.tag_columns, without)
        return where

    @cached_property
    def tag_columns(self) -> dict[str, str]:
        """Columns of the project's tags that have one."""
        where = Where(["place IS NOT NULL"])
        where.add("project_id = {}", self.criteria.project_id)
        return dict(self.run(f"SELECT tag, place FROM tag_name WHERE {where.sql}", where))

    def kinds(self) -> tuple[Numbers, Numbers]:
        """Kinds and how many calls each has, whatever the filter says about kinds."""
        where = self.start()
        call_conditions(where, self.criteria, self.tag_columns)
        self.cursor.execute(f"SELECT kind, count(*) AS calls FROM call WHERE {where.sql} GROUP BY kind", where.values)
        found = self.cursor.fetchnumpy()
        return found["kind"], found["calls"]

    def start(self) -> Where:
        """Nothing but which ids are meant at all."""
        where = Where(["id IN (SELECT id FROM chosen)"] if self.narrowed else [])
        if self.below is not None:
            where.add("id < {}", self.below)
        return where

    def run(self, sql: str, where: Where) -> list[tuple[Any, ...]]:
        """Rows of a query with the conditions' values."""
        found: list[tuple[Any, ...]] = self.cursor.execute(sql, where.values).fetchall()
        return found

    def count(self) -> int:
        """How many calls."""
        where = self.where()
        return int(self.run(f"SELECT count(*) FROM call WHERE {where.sql}", where)[0][0])

    def some_ids(self, most: int) -> list[int]:
        """Any of the calls: all of them where there are fewer."""
        where = self.where()
        return [row[0] for row in self.run(f"SELECT id FROM call WHERE {where.sql} LIMIT {most}", where)]

    def newest_ids(self, most: int) -> list[int]:
        """The calls that arrived last."""
        where = self.where()
        return [
            row[0] for row in self.run(f"SELECT id FROM call WHERE {where.sql} ORDER BY id DESC LIMIT {most}", where)
        ]

    def moment_of(self, number: int) -> datetime | None:
        """When the call of this id, or the first one after it, was made."""
        where = Where(values={"id": number})
        found = self.run("SELECT moment FROM call WHERE id >= $id ORDER BY id LIMIT 1", where)
        return as_moment(found[0][0]) if found else None

    def page(self, sort: Sort, after: str | None, limit: int) -> tuple[list[int], str | None]:
        """Ids in order, and where the next page begins."""
        if sort.by not in SORTS:
            raise InvalidInput(f"Calls cannot be sorted by {sort.by}. Choose one of {', '.join(SORTS)}.")
        column, where = "moment" if sort.by == "created_at" else sort.by, self.where()
        _continue(where, column, sort.descending, after)
        way = "DESC" if sort.descending else "ASC"
        last = "" if column == "moment" else "NULLS LAST"
        order = f"ORDER BY {column} {way} {last}, id {way} LIMIT {limit + 1}"
        found = self.run(f"SELECT id, {column} FROM call WHERE {where.sql} {order}", where)
        shown = found[:limit]
        more = f"{shown[-1][1]!r}:{shown[-1][0]}" if len(found) > limit else None
        return [number for number, _ in shown], more

    def series(self, steps: int) -> list[Point]:
        """Points of the charts, without holes."""
        first, last = self._span()
        if first is None or last is None:
            return []
        step = _step(last - first, steps) if steps > 1 else last - first + 1
        start = first // step * step if steps > 1 else first
        found = self._sums(f"(moment - {start}) // {step}")
        return _points([start + at * step for at in range((last - start) // step + 1)], found) if found else []

    def _span(self) -> tuple[int | None, int | None]:
        """First and last moment of the chart: of the filter's time, or of all calls that may be meant."""
        where, since, until = self.start(), self.criteria.since, self.criteria.until
        where.add("project = (SELECT project FROM project WHERE project_id = {})", self.criteria.project_id)
        time_conditions(where, self.criteria)
        first, last = self.run(f"SELECT min(moment), max(moment) FROM call WHERE {where.sql}", where)[0]
        if first is None:
            return None, None
        return microseconds(since) if since else first, max(last, microseconds(until) - 1) if until else last

    def _sums(self, number: str) -> list[tuple[Any, ...]]:
        """By step and status; percentiles of every n-th call where there are very many."""
        where = self.where()
        every = int(self.run("SELECT count(*) FROM call", Where())[0][0]) // SAMPLE + 1
        sums = "count(*), sum(cost_usd), sum(prompt_tokens), sum(completion_tokens)"
        some = f" FILTER (WHERE id % {every} = 0)" if every > 1 else ""
        took = "nullif(latency_ms, 0)"  # what was imported or traced without a time says 0
        middle = f"quantile_cont({took}, [0.5, 0.95]){some}, quantile_cont(first_token_ms, 0.5){some}"
        counted = f"SELECT {number} AS step, status, {sums}, {middle} FROM call WHERE {where.sql} GROUP BY step, status"
        return self.run(
            f"SELECT step, value, counted.* EXCLUDE (step, status) FROM ({counted}) AS counted"
            " JOIN status USING (status)",
            where,
        )


def _continue(where: Where, column: str, descending: bool, after: str | None) -> None:
    if after is None:
        return
    value, number = _cursor(after)
    beyond = "<" if descending else ">"
    if value is None:
        where.add(f"{column} IS NULL AND id {beyond} {{}}", number)
        return
    further = f"{column} {beyond} {{}} OR ({column} = {{}} AND id {beyond} {{}}) OR {column} IS NULL"
    where.add(further, value, value, number)


def _cursor(after: str) -> tuple[float | None, int]:
    value, _, number = after.rpartition(":")
    try:
        found, at = (
            None if value == "None" else float(value) if "." in value or "e" in value else int(value),
            int(number),
        )
        if max(abs(found or 0), abs(at)) >= LARGEST:
            raise ValueError(after)
        return found, at
    except ValueError:
        raise InvalidInput("This page of the log cannot be found. Go back to the first page.") from None


def _step(span: int, steps: int) -> int:
    """Microseconds of a step that makes at most so many of the span."""
    wanted = span / max(steps, 1) / 1_000_000
    return next((step for step in STEPS_S if step >= wanted), STEPS_S[-1]) * 1_000_000


def _points(starts: list[int], found: list[tuple[Any, ...]]) -> list[Point]:
    by_step: dict[int, list[tuple[Any, ...]]] = {}
    for number, *rest in found:
        by_step.setdefault(number, []).append(tuple(rest))
    return [_point(at, by_step.get(number, [])) for number, at in enumerate(starts)]


def _point(at: int, found: list[tuple[Any, ...]]) -> Point:
    statuses = {row[0]: row[1] for row in sorted(found, key=lambda row: str(row[0]))}
    cost, prompt, completion = (sum(row[column] for row in found) for column in (2, 3, 4))
    middle, first_token = next((row[5:7] for row in found if row[0] == "ok"), (None, None))
    p50, p95 = middle or (None, None)
    failed = sum(calls for status, calls in statuses.items() if status != "ok")
    calls = sum(statuses.values())
    return Point(as_moment(at), calls, failed, float(cost), prompt, completion, p50, p95, first_token, statuses)

"""A filter of calls as conditions on the columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from storage.repositories.log_criteria import FLAGS, RANGE_CONDITIONS, TEXT_CONDITIONS, range_of, values_of
from studio.capture.explorer.kinds import Counted, Numbers
from studio.capture.filters import LogFilter

ON_CALLS = ("users", "sessions")
"""Conditions on columns of their own; other texts are part of a call's kind."""
LOOKED_UP = ("traces", "uids")
"""Conditions that the database answers, by its indexes."""


@dataclass
class Where:
    """Parts of a WHERE clause and the values they name."""

    parts: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, part: str, *values: Any) -> None:
        """A condition in which `{}` stand for the values."""
        names = [f"v{len(self.values) + at}" for at in range(len(values))]
        self.values.update(zip(names, values, strict=True))
        self.parts.append(part.format(*(f"${name}" for name in names)))

    @property
    def sql(self) -> str:
        """All of them."""
        return " AND ".join(f"({part})" for part in self.parts) or "true"


def call_conditions(where: Where, criteria: LogFilter, tag_columns: Mapping[str, str], without: str = "") -> None:
    """Conditions on the table `call`, except those of one facet. Some tags have columns of their own."""
    for name in ON_CALLS:
        if (values := values_of(criteria, name)) and name != without:
            column = TEXT_CONDITIONS[name]
            among = f"{column} IN ({', '.join(['{}'] * len(values))})"
            where.add(f"{among} OR {column} IS NULL" if "" in values else among, *values)
    for name in RANGE_CONDITIONS:
        low, high = range_of(criteria, name)
        if low is not None:
            where.add(f"{name} >= {{}}", float(low))
        if high is not None:
            where.add(f"{name} <= {{}}", float(high))
    time_conditions(where, criteria)
    for name, value in criteria.tags:
        if f"tag:{name}" == without:
            continue
        if own := tag_columns.get(name):
            where.add(f"{own} = {{}}", value)
        else:
            number = "SELECT name FROM tag_name WHERE project_id = {} AND tag = {}"
            marked = f"SELECT call FROM call_tag WHERE name = ({number}) AND value = {{}}"
            where.add(f"id IN ({marked})", criteria.project_id, name, value)


def time_conditions(where: Where, criteria: LogFilter) -> None:
    """Conditions on when a call was made."""
    if criteria.since:
        where.add("moment >= {}", microseconds(criteria.since))
    if criteria.until:
        where.add("moment < {}", microseconds(criteria.until))


def kind_conditions(where: Where, criteria: LogFilter, without: str = "") -> None:
    """Conditions on the table `kind`, except those of one facet."""
    for name, column in TEXT_CONDITIONS.items():
        if name in (*ON_CALLS, *LOOKED_UP, without):
            continue
        if values := values_of(criteria, name):
            where.add(f"{column} IN (SELECT unnest({{}}))", list(values))
    if criteria.ratings and without != "ratings":
        where.add("rating IN (SELECT unnest({}))", ["" if each == "none" else each for each in criteria.ratings])
    if criteria.source and without != "source":
        where.add("source = {}", criteria.source)
    if criteria.has and without != "has":
        where.add(" OR ".join([f"has_{name} = 1" for name in criteria.has if name in FLAGS] or ["false"]))


def kind_masks(counted: Counted, criteria: LogFilter) -> dict[str, Numbers]:
    """The same conditions, each by its name as which of the counted kinds it lets through."""
    masks = {"project": counted.among("project_id", [criteria.project_id])}
    for name, column in TEXT_CONDITIONS.items():
        if name not in (*ON_CALLS, *LOOKED_UP) and (values := values_of(criteria, name)):
            masks[name] = counted.among(column, values)
    if criteria.ratings:
        masks["ratings"] = counted.among("rating", ["" if each == "none" else each for each in criteria.ratings])
    if criteria.source:
        masks["source"] = counted.among("source", [criteria.source])
    if criteria.has:
        masks["has"] = counted.having(criteria.has)
    return masks


def both_conditions(where: Where, criteria: LogFilter, tag_columns: Mapping[str, str], without: str = "") -> None:
    """Conditions on the table `call`, its kind's among them."""
    call_conditions(where, criteria, tag_columns, without)
    where.add("project = (SELECT project FROM project WHERE project_id = {})", criteria.project_id)
    kinds = Where(values=where.values)
    kind_conditions(kinds, criteria, without)
    if kinds.parts:
        where.parts.append(f"kind IN (SELECT kind FROM kind WHERE {kinds.sql})")


def microseconds(moment: datetime) -> int:
    """Since 1970, exactly."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def as_moment(found: int) -> datetime:
    """The other way."""
    return datetime.fromtimestamp(found // 1_000_000, UTC).replace(microsecond=found % 1_000_000)

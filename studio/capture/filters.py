"""LogFilter: which calls one means; the same in the explorer, in a job's spec and in a URL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from studio.errors import InvalidInput


@dataclass(frozen=True)
class LogFilter:
    """Every condition must hold; an empty one holds always."""

    project_id: str
    text: str = ""
    models: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    ratings: tuple[str, ...] = ()
    """up, down or none."""
    tags: tuple[tuple[str, str], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    source: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the empty conditions."""
        return {name: value for name, value in _Plain(**vars(self)).model_dump(mode="json").items() if value}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        """Read plain values back. Raises InvalidInput."""
        try:
            checked = _Plain.model_validate(found)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InvalidInput(f"This is no filter of calls: {where}: {first['msg']}.") from error
        return cls(**dict(checked))

    @property
    def only_rolled_up(self) -> bool:
        """Whether the hourly roll-up alone can answer a count: no condition it does not know."""
        edges = (edge is None or (edge.minute, edge.second, edge.microsecond) == (0, 0, 0) for edge in self.edges)
        return not (self.text.strip() or self.ratings or self.tags or self.source) and all(edges)

    @property
    def edges(self) -> tuple[datetime | None, datetime | None]:
        """Start and end of the time range."""
        return self.since, self.until


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid")

    project_id: str
    text: str = ""
    models: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    ratings: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    source: str = ""

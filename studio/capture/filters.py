"""LogFilter: which calls one means; the same in the explorer, in a job's spec and in a URL."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from studio.errors import InvalidInput

Range = tuple[float | None, float | None]
"""From and to, both within; None is open."""
Texts = tuple[str, ...]


@dataclass(frozen=True)
class LogFilter:
    """Every condition must hold; of several values in one condition, any. An empty condition holds always."""

    project_id: str
    text: str = ""
    models: Texts = ()
    statuses: Texts = ()
    ratings: Texts = ()
    """up, down or none."""
    tags: tuple[tuple[str, str], ...] = ()
    """All of them must be there."""
    since: datetime | None = None
    until: datetime | None = None
    source: str = ""
    served_models: Texts = ()
    deployments: Texts = ()
    """Ids, as are revisions, providers, API keys and templates."""
    revisions: Texts = ()
    providers: Texts = ()
    api_keys: Texts = ()
    templates: Texts = ()
    endpoints: Texts = ()
    languages: Texts = ()
    finish_reasons: Texts = ()
    users: Texts = ()
    sessions: Texts = ()
    traces: Texts = ()
    has: Texts = ()
    """feedback, correction, tools, tool_calls, redactions, stream."""
    latency_ms: Range | None = None
    first_token_ms: Range | None = None
    cost_usd: Range | None = None
    prompt_tokens: Range | None = None
    completion_tokens: Range | None = None
    score: Range | None = None
    uids: Texts = ()
    """Chosen by hand."""

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
        others = (getattr(self, each.name) for each in fields(self) if each.name not in ROLLED_UP)
        return not self.text.strip() and not any(others) and all(edges)

    @property
    def edges(self) -> tuple[datetime | None, datetime | None]:
        """Start and end of the time range."""
        return self.since, self.until


ROLLED_UP = frozenset({"project_id", "text", "models", "statuses", "since", "until"})


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid")

    project_id: str
    text: str = ""
    models: Texts = ()
    statuses: Texts = ()
    ratings: Texts = ()
    tags: tuple[tuple[str, str], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    source: str = ""
    served_models: Texts = ()
    deployments: Texts = ()
    revisions: Texts = ()
    providers: Texts = ()
    api_keys: Texts = ()
    templates: Texts = ()
    endpoints: Texts = ()
    languages: Texts = ()
    finish_reasons: Texts = ()
    users: Texts = ()
    sessions: Texts = ()
    traces: Texts = ()
    has: Texts = ()
    latency_ms: Range | None = None
    first_token_ms: Range | None = None
    cost_usd: Range | None = None
    prompt_tokens: Range | None = None
    completion_tokens: Range | None = None
    score: Range | None = None
    uids: Texts = ()

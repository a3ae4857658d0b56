"""The Capture page's address: every filter, the order and the place in the list as query parameters, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from storage.types import now
from studio.capture.explorer.answers import SORTS, Sort
from studio.capture.filters import LogFilter, Range

Query = dict[str, list[str]]
"""Query parameters; each may occur several times."""
SPANS = {
    "1h": timedelta(hours=1),
    "24h": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "All": None,
}
SPAN = "30d"
"""What a page without a time range in its address shows."""
CHOICES = {
    "status": "statuses",
    "model": "models",
    "served_model": "served_models",
    "deployment": "deployments",
    "revision": "revisions",
    "provider": "providers",
    "rating": "ratings",
    "template": "templates",
    "language": "languages",
    "finish_reason": "finish_reasons",
    "endpoint": "endpoints",
    "api_key": "api_keys",
    "user": "users",
    "session": "sessions",
    "trace": "traces",
    "has": "has",
    "uid": "uids",
}
"""Parameter, which is also the facet's name, and the filter's condition."""
NUMBERS = {
    "latency": "latency_ms",
    "first_token": "first_token_ms",
    "cost": "cost_usd",
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "score": "score",
}
TAG = "tag"
CONDITIONS = ("q", *CHOICES, TAG, "source", *NUMBERS, "range", "from", "to")
PLACE = ("after", "p")
"""Where one is in the list; any change of the filter or the order leads back to the start."""
OWN = (*CONDITIONS, *PLACE, "sort", "call", "panel", "tab", "chart", "live")


def criteria_of(project_id: str, query: Mapping[str, list[str]]) -> LogFilter:
    """The filter that an address means; what cannot be read in it counts for nothing."""
    found: dict[str, Any] = {field: tuple(sorted(query.get(name, ()))) for name, field in CHOICES.items()}
    found |= {field: parsed for name, field in NUMBERS.items() if (parsed := number_range(first(query, name)))}
    since, until = times_of(query)
    tags = tuple(pair for pair in map(tag_pair, query.get(TAG, ())) if pair[0])
    text, source = first(query, "q"), first(query, "source")
    return LogFilter(project_id, text=text, source=source, tags=tags, since=since, until=until, **found)


def query_of(criteria: LogFilter, sort: Sort | None = None) -> Query:
    """The address of a filter, as `criteria_of` reads it back."""
    query: Query = {name: list(getattr(criteria, field)) for name, field in CHOICES.items()}
    query |= {name: [written(getattr(criteria, field))] for name, field in NUMBERS.items() if getattr(criteria, field)}
    query[TAG] = [f"{name}={value}" for name, value in criteria.tags]
    texts = {
        "q": criteria.text,
        "source": criteria.source,
        "from": _moment(criteria.since),
        "to": _moment(criteria.until),
    }
    query |= {name: [text] for name, text in texts.items() if text}
    if not criteria.since and not criteria.until:
        query["range"] = ["All"]
    if sort and sort != Sort():
        query["sort"] = [sort_word(sort)]
    return {name: values for name, values in query.items() if values}


def sort_of(query: Mapping[str, list[str]]) -> Sort:
    """How the calls are ordered: newest first unless the address says otherwise."""
    word = first(query, "sort")
    by = word.removeprefix("-")
    return Sort(by, word.startswith("-")) if by in SORTS else Sort()


def sort_word(sort: Sort) -> str:
    """An order as the address has it."""
    return f"-{sort.by}" if sort.descending else sort.by


def times_of(query: Mapping[str, list[str]]) -> tuple[datetime | None, datetime | None]:
    """Start and end: the two moments given, else those of the named range."""
    since, until = moment(first(query, "from")), moment(first(query, "to"))
    return (since, until) if since or until else (span_start(span_of(query)), None)


def span_of(query: Mapping[str, list[str]]) -> str:
    """The named range that is shown."""
    name = first(query, "range")
    return name if name in SPANS else SPAN


def span_start(name: str) -> datetime | None:
    """Start of a named range; on a whole hour, or minute for short ones, so that answers are kept for a while."""
    span = SPANS[name]
    if span is None:
        return None
    start = (now() - span).replace(second=0, microsecond=0)
    return start if span <= timedelta(hours=1) else start.replace(minute=0)


def is_custom(query: Mapping[str, list[str]]) -> bool:
    """Whether the address names two moments itself."""
    return bool(moment(first(query, "from")) or moment(first(query, "to")))


def toggled(query: Mapping[str, list[str]], facet: str, value: str) -> Query:
    """The address with this value added to a facet, or taken away where it was there."""
    name, value = (TAG, f"{facet.removeprefix('tag:')}={value}") if facet.startswith("tag:") else (facet, value)
    values = [] if name == "source" and value not in query.get(name, []) else list(query.get(name, []))
    values.remove(value) if value in values else values.append(value)
    return changed(query, {name: values})


def changed(query: Mapping[str, list[str]], changes: Mapping[str, Iterable[str]]) -> Query:
    """The address with other values of some parameters, back at the start of the list."""
    kept = {name: list(values) for name, values in query.items() if name not in PLACE}
    kept |= {name: [value for value in values if value] for name, values in changes.items()}
    return {name: values for name, values in kept.items() if values}


def without(query: Mapping[str, list[str]], *names: str) -> Query:
    """The address without some parameters."""
    return {name: list(values) for name, values in query.items() if name not in names}


def first(query: Mapping[str, list[str]], name: str) -> str:
    """The first value of a parameter, or nothing."""
    return next(iter(query.get(name) or ()), "")


def number_range(text: str) -> Range | None:
    """`500..2000`, `..2000` or `500..`; None where it says nothing."""
    low, separator, high = text.partition("..")
    found = (_number(low), _number(high))
    return found if separator and any(end is not None for end in found) else None


def written(found: Range) -> str:
    """A range as the address has it."""
    low, high = (("" if end is None else f"{end:g}") for end in found)
    return f"{low}..{high}"


def tag_pair(text: str) -> tuple[str, str]:
    """`name=value` in its two parts."""
    name, _, value = text.partition("=")
    return name, value


def moment(text: str) -> datetime | None:
    """A moment in an address; without a time zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _moment(value: datetime | None) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if value else ""


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if abs(found) < 1e15 else None

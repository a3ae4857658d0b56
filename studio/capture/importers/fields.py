"""Values of rows as what they mean: times, numbers, texts, JSON in cells."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from studio.capture.importers.port import Refused
from studio.capture.text import parse_json

YES = frozenset(
    {"1", "1.0", "true", "yes", "up", "y", "good", "positive", "like", "liked", "thumbs_up", "thumbsup", "👍"}
)
NO = frozenset(
    {"0", "0.0", "-1", "-1.0", "false", "no", "down", "n", "bad", "negative", "dislike", "disliked"}
    | {"thumbs_down", "thumbsdown", "👎"}
)
FORMS = ("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y")
FAR = 1e11
"""Numbers above are milliseconds: as seconds they would lie beyond the year 5000."""
NEAR = 1e8
"""Numbers below are no times: as seconds they would lie before 1973, when nobody called a model."""


def first(row: dict[str, Any], *names: str) -> Any:
    """The first of these fields that holds something."""
    for name in names:
        if (value := row.get(name)) is not None and value != "":
            return value
    return None


def json_of(value: Any) -> Any:
    """What a cell holds: text that is JSON is read."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        found = parse_json(value.encode("utf-8", "surrogatepass"))
        return value if found is None else found
    return value


def dict_of(value: Any) -> dict[str, Any]:
    """An object, also one in a text cell; else an empty one."""
    found = json_of(value)
    return found if isinstance(found, dict) else {}


def list_of(value: Any) -> list[Any]:
    """A list, also one in a text cell; else an empty one."""
    found = json_of(value)
    return found if isinstance(found, list) else []


def text_of(value: Any) -> str:
    """A value as text; nothing is an empty text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def id_of(value: Any) -> str | None:
    """An id as the database keeps it, or None."""
    text = text_of(value).strip()
    return text[:200] or None


def number(value: Any, field: str) -> float | None:
    """A number, also as text; None where there is none. Raises Refused."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        found = float(_plain(value) if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused(f"{_shown(value)} is not a number. Correct it, or leave the column out.", field) from error
    return found if math.isfinite(found) else None


def amount(value: Any, field: str) -> float | None:
    """A number that is not below zero; what is below is nothing."""
    found = number(value, field)
    return found if found is not None and found >= 0 else None


def count(value: Any, field: str) -> int | None:
    """A whole number from zero on."""
    found = amount(value, field)
    return None if found is None else int(min(found, 2**31 - 1))


def rating(value: Any, field: str) -> int | None:
    """Thumbs: 1 up, 0 down, None where nothing is said. Raises Refused."""
    if isinstance(value, bool):
        return int(value)
    word = text_of(value).strip().lower()
    if not word:
        return None
    if word in YES or word in NO:
        return int(word in YES)
    raise Refused(f"{_shown(value)} is no thumbs: use up or down, 1 or 0, true or false; or map it as a score.", field)


def moment(value: Any, field: str) -> float | None:
    """Unix seconds from seconds, milliseconds, nanoseconds, a date or an ISO text. Raises Refused."""
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        return _moment(value)
    except (ValueError, OverflowError, OSError, TypeError) as error:
        fix = "Write it as 2026-01-31T12:00:00Z or as Unix seconds."
        raise Refused(f"The time {_shown(value)} cannot be read. {fix}", field) from error


def now() -> float:
    """The present, where a row does not say when."""
    return time.time()


def span_ms(start: float | None, end: float | None) -> float | None:
    """Milliseconds between two moments, where both are known and in order."""
    return round((end - start) * 1000, 3) if start is not None and end is not None and end >= start else None


def known(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts that are there."""
    return {name: value for name, value in facts.items() if value is not None and value != ""}


def is_text(values: Iterable[Any]) -> bool:
    """Whether all are texts."""
    return all(isinstance(value, str) for value in values)


def _moment(value: Any) -> float | None:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if isinstance(value, str):
        return _moment_of_text(value.strip())
    seconds = float(value)
    while seconds > FAR:
        seconds /= 1000
    if 0 < seconds < NEAR:
        raise ValueError(value)
    return datetime.fromtimestamp(seconds, UTC).timestamp() if seconds > 0 else None


def _moment_of_text(text: str) -> float | None:
    is_day = len(text) == len("20260131") and text.isdigit()
    for read in (datetime.fromisoformat,) if is_day else (float, datetime.fromisoformat):
        try:
            return _moment(read(text.removesuffix(" UTC")))
        except ValueError:
            continue
    return _moment(_of_other_form(text))


def _of_other_form(text: str) -> datetime:
    for form in FORMS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise ValueError(text)


def _plain(text: str) -> str | float:
    """A number as people write it: $0.10, 1,200, 0,5 and 1.234,5."""
    text = text.strip().lstrip("$€£").removesuffix("ms").removesuffix("s").strip()
    if "," in text and "." in text:
        thousands = "," if text.rfind(".") > text.rfind(",") else "."
        return text.replace(thousands, "").replace(",", ".")
    if text.count(",") == 1 and len(text.rpartition(",")[2]) != 3:
        return text.replace(",", ".")
    return text.replace(",", "").replace("_", "")


def _shown(value: Any) -> str:
    text = repr(str(value) if isinstance(value, Decimal) else value)
    return text if len(text) <= 80 else f"{text[:77]}…"

"""The filters that are on, each with a cross to take it off."""

from __future__ import annotations

from collections.abc import Mapping

from storage.tables import Project
from studio.capture.explorer.answers import FacetValue
from studio.ui.capture import place, questions
from studio.ui.capture.address import CHOICES, NUMBERS, TAG, Query, changed, number_range
from studio.ui.capture.parts import part, told
from studio.ui.capture.words import RANGES, title_of, value_words
from studio.ui.formats import milliseconds, money

KEY = "chips"
NAMED = ("deployment", "revision", "provider", "api_key", "template")
"""Facets whose values are ids that people know by a name."""
_CHIPS = part("chips")


def chips(project: Project, newest: int) -> None:
    """The chips; nothing where no filter but the time is on."""
    shown = chips_of(place.here(), _labels(project, newest))
    if shown:
        _CHIPS(key=KEY, data={"chips": shown}, on_off_change=_off)


def chips_of(query: Query, labels: Mapping[tuple[str, str], str]) -> list[dict[str, str]]:
    """Parameter, value and words of every filter that is on, the time aside."""
    found = [_chip("q", text, f"“{text}”") for text in query.get("q", [])[:1] if text.strip()]
    for name in (*CHOICES, "source"):
        found += [
            _chip(name, value, labels.get((name, value)) or value_words(name, value)) for value in query.get(name, [])
        ]
    found += [_chip(TAG, pair, pair.partition("=")[2], pair.partition("=")[0]) for pair in query.get(TAG, [])]
    return found + [_chip(name, text, _range_words(name, text)) for name in NUMBERS for text in query.get(name, [])]


def _chip(parameter: str, value: str, text: str, name: str = "") -> dict[str, str]:
    return {"parameter": parameter, "value": value, "name": name or title_of(parameter), "text": text}


def _range_words(name: str, text: str) -> str:
    low, high = (_number_words(name, end) for end in number_range(text) or (None, None))
    return f"{low} – {high}" if low and high else f"≥ {low}" if low else f"≤ {high}"


def _number_words(name: str, number: float | None) -> str:
    if number is None:
        return ""
    unit = RANGES[name][1]
    return milliseconds(number) if unit == "ms" else money(number) if unit == "$" else f"{number:,g}"


def _labels(project: Project, newest: int) -> dict[tuple[str, str], str]:
    """Names of the ids that are filtered by, as the facets know them."""
    names = [name for name in NAMED if place.one(name)]
    found: dict[str, list[FacetValue]] = questions.facets(place.criteria(project), newest, names) if names else {}
    return {(name, each.value): each.label for name, values in found.items() for each in values}


def _off() -> None:
    off = told(KEY, "off")
    if not off:
        return
    parameter, value = str(off.get("parameter")), str(off.get("value"))
    if parameter:
        left = [each for each in place.here().get(parameter, []) if each != value]
        place.go(changed(place.here(), {parameter: left}))
        return
    place.change(**{name: [] for name in ("q", TAG, "source", *CHOICES, *NUMBERS)})

"""Curves of several runs on one axis: steps, tokens learned from, or seconds of work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from studio.train.events import in_force

Axis = Literal["step", "tokens", "seconds"]
MOST_POINTS = 400
PLACES = ("at", "kind", "step", "max_steps", "tokens", "seconds")
Event = dict[str, Any]


def placed(events: Sequence[Event]) -> list[Event]:
    """The run's logged points with their place on every axis; points that a resume undid are left out.

    Time between attempts is not counted; time spent on steps that had to be done again is.
    """
    points, tokens = in_force(_timed(events)), 0
    found = []
    for event in points:
        tokens = max(tokens, int(event.get("num_tokens") or 0))
        if event["kind"] in ("log", "eval", "golden"):
            found.append(event | {"tokens": tokens})
    return found


def metrics(points: Sequence[Event]) -> set[str]:
    """Names of the numbers there are curves of."""
    return {
        name
        for event in points
        for name, value in event.items()
        if name not in PLACES and isinstance(value, int | float) and not isinstance(value, bool)
    }


def curve(points: Sequence[Event], metric: str, axis: Axis) -> list[tuple[float, float]]:
    """(place, value) pairs of one number, thinned to what a chart can show."""
    pairs = [(float(event[axis]), float(event[metric])) for event in points if event.get(metric) is not None]
    every = max(1, -(-len(pairs) // MOST_POINTS))
    return [pair for number, pair in enumerate(pairs) if number % every == 0 or number == len(pairs) - 1]


def _timed(events: Sequence[Event]) -> list[Event]:
    spent, last, found = 0.0, None, []
    for event in events:
        if last is not None and event["kind"] != "train_begin":
            spent += max(event["at"] - last, 0.0)
        last = event["at"]
        found.append(event | {"seconds": round(spent, 3)})
    return found

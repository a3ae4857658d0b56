"""Scorers: the port, and the catalog of ways to score an answer against its reference; one file per scorer."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Protocol

from studio.errors import InvalidInput, NotFound

SCORERS: dict[str, str] = {
    "exact_match": "studio.scoring.exact_match:ExactMatch",
    "valid_json": "studio.scoring.valid_json:ValidJson",
    "field_accuracy": "studio.scoring.field_accuracy:FieldAccuracy",
    "contains": "studio.scoring.contains:Contains",
    "length": "studio.scoring.length:Length",
}
ENTRY_POINT_GROUP = "whetstone.scorers"
DEFAULT: tuple[dict[str, Any], ...] = ({"name": "exact_match"}, {"name": "valid_json"}, {"name": "field_accuracy"})
FIELD = "field:"
"""Prefix of the scores of single JSON fields."""


class Scorer(Protocol):
    """Scores one answer. Deterministic, and re-created from its spec: name and arguments."""

    def score(self, output: str, reference: str) -> dict[str, float]:
        """Scores by metric name; empty when the metric does not apply to this reference."""
        ...


def scorer(spec: dict[str, Any]) -> Scorer:
    """The scorer that a spec describes. Raises NotFound or InvalidInput."""
    arguments = {key: value for key, value in spec.items() if key != "name"}
    name = str(spec.get("name"))
    target = SCORERS.get(name) or {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}.get(name)
    if target is None:
        raise NotFound(f"There is no scorer {name!r}. Choose among: {', '.join(SCORERS)}.")
    module, _, attribute = target.partition(":")
    try:
        made: Scorer = getattr(import_module(module), attribute)(**arguments)
    except TypeError as error:
        raise InvalidInput(f"The scorer {name} does not take these settings: {error}.") from error
    return made


def scores(scorers: Sequence[Scorer], output: str, reference: str) -> dict[str, float]:
    """All scores of one answer."""
    return {name: value for each in scorers for name, value in each.score(output, reference).items()}

"""How people read the values of facets."""

from __future__ import annotations

from storage.database import Database
from storage.repositories.log_names import LogNameRepository
from studio.capture.explorer.answers import FacetValue

NOBODY = {
    "deployment": "No deployment",
    "revision": "No revision",
    "provider": "No provider",
    "api_key": "No API key",
    "template": "No template found",
    "language": "Not told",
    "finish_reason": "None",
    "rating": "Not rated",
    "model": "No name",
    "served_model": "Not known",
}


def label_facets(
    database: Database, project_id: str, found: dict[str, list[tuple[str, int]]]
) -> dict[str, list[FacetValue]]:
    """Values with labels: names for ids, words for what is missing."""
    with database.read() as session:
        names = LogNameRepository(session)
        return {
            facet: _labelled(facet, values, names.of(facet, project_id, [value for value, _ in values if value]))
            for facet, values in found.items()
        }


def _labelled(facet: str, values: list[tuple[str, int]], names: dict[str, str]) -> list[FacetValue]:
    nobody = NOBODY.get(facet, "None")
    none = "none" if facet == "rating" else ""
    return [FacetValue(value or none, names.get(value, value) if value else nobody, calls) for value, calls in values]

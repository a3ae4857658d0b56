"""The labeling platforms, name → "module:function", loaded lazily; others may add theirs by entry point."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from studio.errors import NotFound
from studio.label.backend import LabelingBackend
from studio.settings import Settings

BACKENDS: dict[str, str] = {"argilla": "studio.label.argilla_backend:connect"}
ENTRY_POINT_GROUP = "whetstone.labeling"


def labeling_backend(settings: Settings, name: str = "argilla") -> LabelingBackend:
    """The platform of this name on these settings. Raises NotFound for a name nobody registered."""
    target = BACKENDS.get(name) or {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}.get(
        name
    )
    if target is None:
        raise NotFound(f"No labeling platform is called {name!r}.")
    module, _, function = target.partition(":")
    made: LabelingBackend = getattr(import_module(module), function)(settings)
    return made

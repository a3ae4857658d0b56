"""Question templates: what is asked about each item, and what the answers mean.

A new template is one file with one class, and one row in TEMPLATES.
"""

from __future__ import annotations

from studio.errors import InvalidInput
from studio.label.templates.base import Asked, Scale, Template, scales_of
from studio.label.templates.compare import Compare
from studio.label.templates.custom import Custom
from studio.label.templates.pick_label import PickLabel
from studio.label.templates.rating import Rate
from studio.label.templates.spans import Spans
from studio.label.templates.verdict import CORRECT, UNSURE, WRONG, Verdict

__all__ = ["CORRECT", "TEMPLATES", "UNSURE", "WRONG", "Asked", "Scale", "Template", "scales_of", "template"]

TEMPLATES: dict[str, Template] = {
    "verdict": Verdict(),
    "rating": Rate(),
    "compare": Compare(),
    "pick_label": PickLabel(),
    "spans": Spans(),
    "custom": Custom(),
}


def template(name: str) -> Template:
    """The template of this name. Raises InvalidInput for one there is not."""
    if name not in TEMPLATES:
        raise InvalidInput(f"There is no question template {name!r}. Choose one of: {', '.join(TEMPLATES)}.")
    return TEMPLATES[name]

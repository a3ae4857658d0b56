"""Field accuracy: each top-level field of the reference object on its own."""

from __future__ import annotations

from studio.scoring import FIELD
from studio.scoring.values import as_object, same


class FieldAccuracy:
    """1 for each field whose value is right; an answer that is no object gets none right."""

    def score(self, output: str, reference: str) -> dict[str, float]:
        """field:<name>: 0 or 1, where the reference is an object."""
        wanted, found = as_object(reference) or {}, as_object(output) or {}
        return {f"{FIELD}{name}": float(name in found and same(found[name], value)) for name, value in wanted.items()}

"""Valid JSON: an object with the reference's keys; says nothing where the reference is no object."""

from __future__ import annotations

from studio.scoring.values import as_object


class ValidJson:
    """1 when the answer is a JSON object with the same keys as the reference."""

    def score(self, output: str, reference: str) -> dict[str, float]:
        """valid_json: 0 or 1, where the reference is an object."""
        wanted = as_object(reference)
        if wanted is None:
            return {}
        found = as_object(output)
        return {"valid_json": float(found is not None and found.keys() == wanted.keys())}

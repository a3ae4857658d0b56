"""Exact match: equal JSON values where the reference is JSON, equal text without outer spaces elsewhere."""

from __future__ import annotations

from studio.scoring.values import parsed, same


class ExactMatch:
    """1 when the answer is the reference."""

    def score(self, output: str, reference: str) -> dict[str, float]:
        """exact_match: 0 or 1."""
        is_json, wanted = parsed(reference)
        if not is_json:
            return {"exact_match": float(output.strip() == reference.strip())}
        valid, value = parsed(output)
        return {"exact_match": float(valid and same(value, wanted))}

"""Length: characters of the answer as a share of the reference's; 1 is as long as what people wrote."""

from __future__ import annotations


class Length:
    """How long answers are beside their references."""

    def score(self, output: str, reference: str) -> dict[str, float]:
        """length_ratio: 0 upwards, where the reference has text."""
        return {"length_ratio": len(output.strip()) / len(reference.strip())} if reference.strip() else {}

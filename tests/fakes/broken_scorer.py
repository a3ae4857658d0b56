"""A scorer that fails on every answer."""

from __future__ import annotations


class Broken:
    def score(self, output: str, reference: str) -> dict[str, float]:
        return {"broken": len(output) / (len(reference) * 0)}

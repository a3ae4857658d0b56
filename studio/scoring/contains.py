"""Contains: the reference text turns up in the answer."""

from __future__ import annotations


class Contains:
    """1 when the answer contains the reference, in any case unless told otherwise."""

    def __init__(self, case_sensitive: bool = False) -> None:
        self.case_sensitive = case_sensitive

    def score(self, output: str, reference: str) -> dict[str, float]:
        """contains: 0 or 1."""
        if not self.case_sensitive:
            output, reference = output.lower(), reference.lower()
        return {"contains": float(reference.strip() in output)}

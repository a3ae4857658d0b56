"""Gaps: ids that were skipped, whose calls may still be committed later than newer ones (PostgreSQL)."""

from __future__ import annotations

import time
from collections.abc import Sequence

KEPT = 10_000
LOOKED_FOR_S = 60.0


class Gaps:
    """What is missing between the ids that were read. A rolled back insert leaves some that never come."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}

    def note(self, after: int, upto: int, found: Sequence[int], late: Sequence[int] = ()) -> None:
        """Remember what is missing between two ids, and forget what came late."""
        for each in late:
            self._since.pop(each, None)
        if 0 < upto - after - len(found) <= KEPT and len(self._since) < KEPT:
            here, at = set(found), time.monotonic()
            self._since.update((each, at) for each in range(after + 1, upto + 1) if each not in here)

    def open(self) -> list[int]:
        """Those that are young enough to look for."""
        oldest = time.monotonic() - LOOKED_FOR_S
        self._since = {each: at for each, at in self._since.items() if at > oldest}
        return list(self._since)

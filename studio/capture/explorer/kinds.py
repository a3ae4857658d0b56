"""Kinds: what calls may be, as arrays of numbers, to count all facets at once without a join."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.repositories.log_criteria import FLAGS
from storage.repositories.log_index import TEXTS

Numbers = NDArray[Any]


class Kinds:
    """The table `kind` in memory: a kind never changes, so that only those that are new are read.

    When the columns begin anew, as another explorer of this process may make them, kinds are numbered anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget("")

    def _forget(self, made: str) -> None:
        self._made, self._known = made, 0
        self._values: dict[str, dict[str, int]] = {name: {} for name in TEXTS}
        self._codes: dict[str, Numbers] = {name: np.zeros(1, np.int32) for name in TEXTS}
        self._flags: dict[str, Numbers] = {name: np.zeros(1, np.bool_) for name in FLAGS}

    def counted(self, cursor: Any, kinds: Numbers, calls: Numbers) -> Counted:
        """How many calls there are of each of these kinds, with what they are."""
        with self._lock:
            [(made,)] = cursor.execute("SELECT value FROM about WHERE name = 'made'").fetchall()
            if made != self._made:
                self._forget(made)
            self._read(cursor, int(kinds.max(initial=0)))
            codes = {name: found[kinds] for name, found in self._codes.items()}
            flags = {name: found[kinds] for name, found in self._flags.items()}
            return Counted(calls.astype(np.float64), codes, flags, self._values)

    def _read(self, cursor: Any, upto: int) -> None:
        if upto <= self._known:
            return
        texts, flags = ", ".join(TEXTS), ", ".join(f"has_{name}" for name in FLAGS)
        sql = f"SELECT kind, {texts}, {flags} FROM kind WHERE kind > $known AND kind <= $upto ORDER BY kind"
        rows = cursor.execute(sql, {"known": self._known, "upto": upto}).fetchall()
        columns = list(zip(*rows, strict=True))
        at = np.array(columns[0])
        for name, values in zip(TEXTS, columns[1:], strict=False):
            known = self._values[name]
            found = [known.setdefault(value, len(known) + 1) for value in values]
            self._codes[name] = _longer(self._codes[name], upto, at, found)
        for name, values in zip(FLAGS, columns[1 + len(TEXTS) :], strict=True):
            self._flags[name] = _longer(self._flags[name], upto, at, values)
        self._known = upto


class Counted:
    """Calls by what they are."""

    def __init__(
        self, calls: Numbers, codes: dict[str, Numbers], flags: dict[str, Numbers], values: dict[str, dict[str, int]]
    ) -> None:
        self.calls, self._codes, self._flags, self._values = calls, codes, flags, values

    def among(self, column: str, values: Sequence[str]) -> Numbers:
        """Which of the kinds have one of these values."""
        known = self._values[column]
        found: Numbers = np.isin(self._codes[column], [known[value] for value in values if value in known])
        return found

    def having(self, flags: Sequence[str]) -> Numbers:
        """Which of the kinds have one of these flags."""
        found = np.zeros(len(self.calls), np.bool_)
        for name in flags:
            if name in self._flags:
                found |= self._flags[name]
        return found

    def by(self, column: str, chosen: Numbers) -> list[tuple[str, int]]:
        """Calls of the chosen kinds by a column's values."""
        known = list(self._values[column].items())  # another question may add to them meanwhile
        sums = np.bincount(self._codes[column][chosen], self.calls[chosen], len(known) + 1)
        return [(value, int(sums[code])) for value, code in known if sums[code]]

    def by_flag(self, chosen: Numbers) -> list[tuple[str, int]]:
        """Calls of the chosen kinds that have each flag; they may have several."""
        sums = {name: int(self.calls[chosen & found].sum()) for name, found in self._flags.items()}
        return [(name, calls) for name, calls in sums.items() if calls]


def _longer(known: Numbers, upto: int, at: Numbers, values: Sequence[int]) -> Numbers:
    found = np.zeros(upto + 1, known.dtype)
    found[: len(known)] = known
    found[at] = values
    return found

"""Skeleton: the constant parts of a text with gaps where texts differ; found by laying texts over one another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
SHORTEST_PART = 8
"""Characters that must be equal in a row to be meant; less is chance ("the", a comma)."""
FEWEST_WORDS = 2
MOST_TOKENS = 1_500
"""Tokens of a differing region that are compared word by word; longer regions are a gap as a whole."""

Part = str | None
"""Constant text, or None for a gap."""


@dataclass(frozen=True)
class Skeleton:
    """Constant parts and gaps in turn; never two of a kind in a row."""

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, text: str) -> Skeleton:
        """A text as it is: one part, no gap."""
        return cls((text,) if text else ())

    @property
    def constant(self) -> int:
        """Characters that are the same in every text."""
        return sum(len(part) for part in self.parts if part)

    @property
    def has_gap(self) -> bool:
        """Whether anything differs."""
        return None in self.parts

    def fits(self, text: str) -> bool:
        """Whether the text has all parts in order, with nothing beside them but what is in the gaps."""
        at, open_before = 0, False
        for part in self.parts:
            if part is None:
                open_before = True
                continue
            found = text.find(part, at) if open_before else (at if text.startswith(part, at) else -1)
            if found < 0:
                return False
            at, open_before = found + len(part), False
        return open_before or at == len(text) or self._last_part_ends(text)

    def over(self, text: str) -> Skeleton:
        """What this skeleton and the text have in common."""
        ours = _marked(self.parts)
        return Skeleton(_joined(_common(ours, _lines(text))))

    def shown(self, gap: str = "…") -> str:
        """As one text, gaps shown as given."""
        return "".join(gap if part is None else part for part in self.parts)

    def _last_part_ends(self, text: str) -> bool:
        """The last part may occur more than once: only its last occurrence has to be the end."""
        last = self.parts[-1] if self.parts else None
        return bool(last) and len(self.parts) > 1 and text.endswith(str(last))


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _marked(parts: tuple[Part, ...]) -> list[Part]:
    """Lines of the parts, with the gaps between them."""
    marked: list[Part] = []
    for part in parts:
        marked += [None] if part is None else list(_lines(part))
    return marked


def _common(ours: list[Part], theirs: list[str]) -> list[Part]:
    """Whole lines first, for speed and sense; what differs between them word by word."""
    found: list[Part] = []
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "equal":
            found += ours[start:end]
        else:
            found += _common_words(ours[start:end], "".join(theirs[other_start:other_end]))
    return found


def _common_words(ours: list[Part], theirs: str) -> list[Part]:
    mine: list[Part] = []
    for part in ours:
        mine += [None] if part is None else TOKEN.findall(part)
    other = TOKEN.findall(theirs)
    if not mine or not other or len(mine) > MOST_TOKENS or len(other) > MOST_TOKENS:
        return [None]
    found: list[Part] = []
    for tag, start, end, _, _ in SequenceMatcher(None, mine, other, autojunk=False).get_opcodes():
        found += mine[start:end] if tag == "equal" else [None]
    return _meant(_runs(found))


def _meant(runs: list[Part]) -> list[Part]:
    """What is equal by chance (a word, a comma) becomes part of the gap; labels and line ends stay."""
    kept: list[Part] = []
    for number, run in enumerate(runs):
        if run is None or _is_meant(run, number == 0):
            kept.append(run)
        else:
            kept += [None, "\n"] if number == len(runs) - 1 and run.endswith("\n") else [None]
    return kept


def _joined(found: list[Part]) -> tuple[Part, ...]:
    """Neighbours put together; white space alone between two gaps says nothing."""
    runs = _runs(found)
    inner = (None if part is not None and not part.strip() and len(runs) > 1 else part for part in runs)
    return tuple(_runs(list(inner)))


def _runs(found: list[Part]) -> list[Part]:
    runs: list[Part] = []
    for part in found:
        if part is not None and runs and runs[-1] is not None:
            runs[-1] += part
        elif part is not None or not (runs and runs[-1] is None):
            runs.append(part)
    return runs


def _is_meant(run: str, begins_line: bool) -> bool:
    """Enough text in a row, or a label like `Name:` at the start of a line."""
    text = run.strip()
    if len(text) >= SHORTEST_PART and len(text.split()) >= FEWEST_WORDS:
        return True
    return text.endswith(":") and (begins_line or run.startswith("\n"))

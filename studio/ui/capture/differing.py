"""How a text changed, word by word, in one stream: what stayed, what went, what came."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

Piece = tuple[str, str]
"""(same, gone or new; text)."""
MOST_WORDS = 3000
"""Changed words on either side that are compared word by word; longer changes are shown as a whole."""
KEPT = 160
"""Characters that are shown on both sides of a long stretch that stayed."""
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


def word_changes(before: str, after: str) -> list[Piece]:
    """The pieces from the text before to the text after."""
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    start, end = _alike(old, new)
    middle_old, middle_new = old[start : len(old) - end], new[start : len(new) - end]
    pieces = [
        ("same", "".join(new[:start])),
        *_middle(middle_old, middle_new),
        ("same", "".join(new[len(new) - end :])),
    ]
    return _joined([(kind, text) for kind, text in pieces if text])


def shortened(pieces: list[Piece]) -> list[Piece]:
    """The pieces with long stretches that stayed cut to what lies next to a change."""
    last = len(pieces) - 1
    return [
        (kind, _cut(text, head=place > 0, tail=place < last) if kind == "same" else text)
        for place, (kind, text) in enumerate(pieces)
    ]


def _middle(old: list[str], new: list[str]) -> list[Piece]:
    if len(old) > MOST_WORDS or len(new) > MOST_WORDS:
        return [("gone", "".join(old)), ("new", "".join(new))]
    pieces: list[Piece] = []
    for kind, start, end, begin, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(("same", "".join(new[begin:stop])))
        else:
            pieces += [("gone", "".join(old[start:end])), ("new", "".join(new[begin:stop]))]
    return pieces


def _alike(old: list[str], new: list[str]) -> tuple[int, int]:
    """How many words at the start and at the end are the same."""
    most = min(len(old), len(new))
    start = next((place for place in range(most) if old[place] != new[place]), most)
    end = next((place for place in range(most - start) if old[-1 - place] != new[-1 - place]), most - start)
    return start, end


def _joined(pieces: list[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for kind, text in pieces:
        if found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] + text)
        else:
            found.append((kind, text))
    return found


def _cut(text: str, head: bool, tail: bool) -> str:
    left, right = (KEPT if head else 0), (KEPT if tail else 0)
    hidden = len(text) - left - right
    if hidden < 2 * KEPT:
        return text
    return f"{text[:left]} […{hidden:,} characters as before…] {text[len(text) - right :]}"

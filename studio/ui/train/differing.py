"""How two answers differ, in pieces: what is the same, what is missing, what was added."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from studio.ui.train.marked import Piece

LONGEST = 3000
"""Characters that are compared piece by piece; longer answers are cut on screen."""
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


def differences(expected: str, answer: str) -> tuple[list[Piece], list[Piece]]:
    """The expected text with what the answer lacks, and the answer with what it has beyond."""
    left, right = _words(expected), _words(answer)
    wanted: list[Piece] = []
    given: list[Piece] = []
    for kind, start, end, begin, stop in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        same = kind == "equal"
        _add(wanted, left[start:end], "same" if same else "missing")
        _add(given, right[begin:stop], "same" if same else "extra")
    return wanted, given


def _words(text: str) -> list[str]:
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
    return _WORDS.findall(shown)


def _add(pieces: list[Piece], words: list[str], mark: str) -> None:
    if words:
        pieces.append({"text": "".join(words), "mark": mark})

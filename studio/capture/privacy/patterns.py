"""A project's own patterns: checked when they are saved, and stopped when a text makes them slow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import regex

from studio.capture.privacy.detectors import DETECTORS, Span
from studio.errors import InvalidInput

MOST = 20
LONGEST = 300
LONGEST_NAME = 40
PROBE_S = 0.5
"""What a pattern may take for a text of a few thousand characters when it is saved."""
TEXT_S, MORE_S_PER_CHARACTER = 0.05, 1e-7
"""What it may take for a text of a call: a twentieth of a second, and a tenth for each further million characters."""
PAUSE_S = 60.0
NAME = regex.compile(r"[a-z][a-z0-9_-]{0,39}")
TAKEN = frozenset(DETECTORS) | {"key", "redacted", "withheld"}


class Withheld(Exception):
    """A pattern took too long on a text; the text is not written at all."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class OwnPattern:
    """One pattern at work. After it was too slow once it rests for a minute, and texts are withheld meanwhile."""

    def __init__(self, name: str, pattern: str) -> None:
        self.name = name
        self._compiled = compiled(pattern)
        self._rests_until = 0.0

    def find(self, text: str) -> Iterator[Span]:
        """Where it matches. Raises Withheld when it takes too long."""
        if time.monotonic() < self._rests_until:
            raise Withheld(self.name)
        try:
            for match in self._compiled.finditer(text, timeout=TEXT_S + len(text) * MORE_S_PER_CHARACTER):
                if match.end() > match.start():
                    yield match.span()
        except TimeoutError:
            self._rests_until = time.monotonic() + PAUSE_S
            raise Withheld(self.name) from None


@lru_cache(512)
def compiled(pattern: str) -> Any:
    """The pattern, ready. Raises regex.error."""
    return regex.compile(pattern)


def checked_patterns(found: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The patterns with names made plain. Raises InvalidInput that says which one is wrong and why."""
    rows = [(name.strip().lower().replace(" ", "_"), pattern.strip()) for name, pattern in found]
    rows = [row for row in rows if any(row)]
    if len(rows) > MOST:
        raise InvalidInput(f"At most {MOST} patterns of your own. Join some with | to one.")
    names = [name for name, _ in rows]
    for name, pattern in rows:
        if not NAME.fullmatch(name):
            raise InvalidInput(f"{name or 'A pattern without a name'}: give it a name of letters, digits and _.")
        if name in TAKEN or names.count(name) > 1:
            raise InvalidInput(f"There is a kind {name} already. Choose another name.")
        _check(name, pattern)
    return tuple(rows)


def _check(name: str, pattern: str) -> None:
    if not pattern or len(pattern) > LONGEST:
        raise InvalidInput(f"{name}: a pattern has 1 to {LONGEST} characters.")
    try:
        ready = compiled(pattern)
    except regex.error as error:
        raise InvalidInput(f"{name} is not a regular expression: {error}.") from error
    try:
        if any(ready.search(text, timeout=PROBE_S) for text in ("", " ", "\n")):
            raise InvalidInput(f"{name} matches the empty text or a blank. Make it match the value and nothing else.")
        for probe in _probes(pattern):
            ready.search(probe, timeout=PROBE_S)
    except TimeoutError:
        raise InvalidInput(
            f"{name} takes too long on a long text. Avoid a repeated group inside a repetition, such as (a+)+."
        ) from None


def _probes(pattern: str) -> Iterator[str]:
    """Texts that make nested repetitions slow: what the pattern may like, many times over, and a bad end."""
    letters = sorted({each for each in pattern if each.isalnum()} | set("aA0 .-_@"))[:24]
    for each in letters:
        yield each * 4000 + "\x00"
    for pair in ("a0", "0-", "a ", "A0 ", "a.", "0 "):
        yield pair * 2000 + "\x00"

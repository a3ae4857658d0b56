"""Rules: a policy made ready to search with, once per policy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from studio.capture.privacy.detectors import DETECTORS, DIGIT, Detector
from studio.capture.privacy.patterns import OwnPattern
from studio.capture.privacy.policy import Policy
from studio.capture.privacy.redactor import MARKS

SUREST = ("key", "iban", "card", "email", "ssn", "national_id", "ip", "birthday", "url_secret", "phone")
"""Which kind is told where two find the same: a checked number rather than one that only looks like it."""
Found = tuple[int, int, str]
"""Start, end, kind."""


@dataclass(frozen=True)
class Rules:
    """Detectors and patterns of one policy."""

    detectors: tuple[Detector, ...]
    patterns: tuple[OwnPattern, ...]

    def find(self, text: str) -> list[Found]:
        """All personal data in the text, in no order. Raises Withheld when an own pattern is too slow."""
        found: list[Found] = []
        digit = bool(DIGIT.search(text))
        for each in self.detectors:
            if digit or not each.needs_digit:
                found += [(start, end, each.name) for start, end in each.find(text)]
        if self.patterns:
            found += self._own(text)
        return found

    def _own(self, text: str) -> list[Found]:
        """What the own patterns find, but not inside our own marks: cleaning twice is cleaning once."""
        marks = [match.span() for match in MARKS.finditer(text)]
        return [
            (start, end, each.name)
            for each in self.patterns
            for start, end in each.find(text)
            if not any(begin < end and start < stop for begin, stop in marks)
        ]


@lru_cache(1024)
def rules_of(policy: Policy) -> Rules:
    """The rules of a policy; a detector that is no longer known is left out."""
    known = tuple(DETECTORS[name] for name in DETECTORS if name in policy.detectors)
    return Rules(known, tuple(OwnPattern(name, pattern) for name, pattern in policy.patterns))


def joined(found: list[Found]) -> list[Found]:
    """The spans in order; those that overlap become one, of the kind that is the surer."""
    told: list[Found] = []
    for start, end, kind in sorted(found):
        if told and start < told[-1][1]:
            begun, until, before = told[-1]
            told[-1] = (begun, max(until, end), min(before, kind, key=_doubt))
        else:
            told.append((start, end, kind))
    return told


def _doubt(kind: str) -> int:
    return SUREST.index(kind) if kind in SUREST else len(SUREST)

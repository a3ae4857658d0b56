"""Leakage: a golden prompt, or one that differs only in case, spaces or digits, must not be in the training rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from studio.curate.outputs import canonical
from studio.curate.snapshot import Row

DIGITS = re.compile(r"\d+")
SPACES = re.compile(r"\s+")


def normalised(messages: list[dict[str, Any]]) -> str:
    """The prompt's text in lower case with every number as 0 and every run of spaces as one."""
    text = "\n".join(f"{message.get('role')}:{_words(message)}" for message in messages)
    return SPACES.sub(" ", DIGITS.sub("0", text.lower()))


@dataclass
class LeakFilter:
    """Remembers the golden prompts, then holds back training rows that repeat one."""

    hashes: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    leaked: list[str] = field(default_factory=list)
    """Ids of the training rows held back."""

    def watch(self, golden: Iterable[Row]) -> Iterator[Row]:
        """Pass golden rows through and remember their prompts."""
        for row in golden:
            self.hashes.add(row.prompt_hash)
            self.texts.add(normalised(row.messages))
            yield row

    def hold_back(self, train: Iterable[Row]) -> Iterator[Row]:
        """Pass on the training rows that repeat no golden prompt."""
        for row in train:
            if self.repeats(row):
                self.leaked.append(row.example_id)
            else:
                yield row

    def repeats(self, row: Row) -> bool:
        """Whether the row's prompt is a golden one, exactly or nearly."""
        return row.prompt_hash in self.hashes or normalised(row.messages) in self.texts


def leaks(train: Iterable[Row], golden: Iterable[Row]) -> list[str]:
    """Ids of training rows that repeat a golden prompt exactly or nearly; training checks it once more."""
    found = LeakFilter()
    for _ in found.watch(golden):
        pass
    for _ in found.hold_back(train):
        pass
    return found.leaked


def _words(message: dict[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else canonical(content)

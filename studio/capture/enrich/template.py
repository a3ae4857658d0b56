"""Template: the constant parts of a prompt's opening messages, up to the first user turn."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from studio.capture.enrich.skeleton import Skeleton
from studio.capture.text import content_text

OPENING = 6
"""Messages read at most; what follows the first user turn is the conversation, not the prompt."""
FEWEST_CONSTANT = 24
"""Characters that must be constant before one speaks of a template."""

Opening = tuple[tuple[str, str], ...]
"""(role, text) of the messages up to the first user turn."""


def opening_of(messages: list[dict[str, Any]]) -> Opening:
    """The part of a prompt that a program writes: instructions, and the first user turn it fills in."""
    found: list[tuple[str, str]] = []
    for message in messages[:OPENING]:
        role = str(message.get("role") or "")
        found.append((role, content_text(message.get("content"))))
        if role == "user":
            break
    return tuple(found)


@dataclass(frozen=True)
class Template:
    """A skeleton for each opening message."""

    roles: tuple[str, ...]
    skeletons: tuple[Skeleton, ...]

    @classmethod
    def of(cls, opening: Opening) -> Template:
        """A prompt as it is, without gaps."""
        return cls(tuple(role for role, _ in opening), tuple(Skeleton.of(text) for _, text in opening))

    @classmethod
    def read(cls, messages: list[dict[str, Any]]) -> Template:
        """From its plain values."""
        skeletons = tuple(Skeleton(tuple(message["parts"])) for message in messages)
        return cls(tuple(str(message["role"]) for message in messages), skeletons)

    def plain(self) -> list[dict[str, Any]]:
        """As plain values: [{"role", "parts"}]."""
        pairs = zip(self.roles, self.skeletons, strict=True)
        return [{"role": role, "parts": list(skeleton.parts)} for role, skeleton in pairs]

    @property
    def fingerprint(self) -> str:
        """The same for the same constant parts."""
        return hashlib.sha256(json.dumps(self.plain(), ensure_ascii=False).encode("utf-8", "replace")).hexdigest()

    @property
    def constant(self) -> int:
        """Characters that never change: the more, the more a fit says."""
        return sum(skeleton.constant for skeleton in self.skeletons)

    @property
    def is_meant(self) -> bool:
        """Whether enough is constant to speak of a template."""
        return self.constant >= FEWEST_CONSTANT

    def fits(self, opening: Opening) -> bool:
        """Whether the prompt was made from this template."""
        if tuple(role for role, _ in opening) != self.roles:
            return False
        return all(skeleton.fits(text) for skeleton, (_, text) in zip(self.skeletons, opening, strict=True))

    def over(self, opening: Opening) -> Template:
        """What this and a prompt of the same roles have in common."""
        pairs = zip(self.skeletons, opening, strict=True)
        return Template(self.roles, tuple(skeleton.over(text) for skeleton, (_, text) in pairs))

    def shown(self, gap: str = "…") -> str:
        """The whole as one text, to compare and to search."""
        return "\n".join(skeleton.shown(gap) for skeleton in self.skeletons)

    def covers(self, other: Template) -> bool:
        """Whether every prompt of the other is one of this too: its gaps are wider."""
        return self.fits(tuple(zip(other.roles, (part.shown("\x00") for part in other.skeletons), strict=True)))

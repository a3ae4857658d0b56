"""The golden answers that were recorded when a model was made, read back; recordings of any age."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from storage.tables import Model

END = -1
"""Stands for the end of an answer where token ids are compared."""


@dataclass(frozen=True)
class GoldenPrompt:
    """A prompt with the answers that tell the tuned model from its base."""

    messages: list[dict[str, Any]]
    text: str
    """The prompt as training rendered it."""
    tuned: list[int]
    base: list[int]
    tuned_text: str = ""
    base_text: str = ""
    rivals: dict[int, list[int]] | None = None
    """By place in the answer: tokens so nearly as likely as the tuned model's own that rounding may choose them.
    None in recordings that did not look."""
    margins: list[float] = field(default_factory=list)
    """By place: how far the second token was behind, in standard deviations of all scores there."""
    offsets: list[int] = field(default_factory=list)
    """By place: where the token's text ends in `tuned_text`."""
    prompt_tokens: int | None = None
    prompt_digest: str = ""

    @cached_property
    def asked_text(self) -> str:
        """The last thing the user says, cut short for a table."""
        return str(self.messages[-1].get("content") or "")[:160] if self.messages else ""

    def piece(self, place: int) -> str:
        """The text of the tuned model's token at this place."""
        if place < len(self.tuned) and self.tuned[place] == END:
            return ""
        if place >= len(self.offsets):
            return ""
        return self.tuned_text[self.offsets[place - 1] if place else 0 : self.offsets[place]]

    def undecided(self, place: int, token: int) -> bool:
        """Whether rounding alone may put this token there."""
        return token in (self.rivals or {}).get(place, [])


def golden_prompts(model: Model) -> list[GoldenPrompt]:
    """The golden answers recorded when the model was made."""
    found = (model.facts or {}).get("golden") or {}
    ends = set(found.get("ends", []))
    return [_prompt(row, ends) for row in found.get("prompts", [])]


def digest(ids: list[int]) -> str:
    """A short fingerprint of a prompt's token ids; training writes the same."""
    return sha256(",".join(map(str, ids)).encode()).hexdigest()[:16]


def _prompt(row: dict[str, Any], ends: set[int]) -> GoldenPrompt:
    rivals = row.get("rivals")
    return GoldenPrompt(
        messages=row["messages"],
        text=row.get("text", ""),
        tuned=[*row["tuned_tokens"], *([END] if row.get("tuned_ended") else [])],
        base=[*row["base_tokens"], *([END] if row.get("base_ended") else [])],
        tuned_text=row.get("tuned_text", ""),
        base_text=row.get("base_text", ""),
        rivals=None
        if rivals is None
        else {int(at): [END if i in ends else i for i in ids] for at, ids in rivals.items()},
        margins=row.get("margins", []),
        offsets=row.get("offsets", []),
        prompt_tokens=row.get("prompt_tokens"),
        prompt_digest=row.get("prompt_digest", ""),
    )

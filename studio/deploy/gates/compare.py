"""One golden answer beside what a server said: where they part, and whether rounding explains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.deploy.client import Said
from studio.deploy.gates.recorded import END, GoldenPrompt

COMPARED = 8
"""Tokens compared with recordings that do not say where the model was undecided."""
SHOWN = 120
BROKEN = "�"
"""Half a character, where an answer was cut between the tokens of one."""


@dataclass(frozen=True)
class Compared:
    """One row of the certificate."""

    prompt: GoldenPrompt
    said: Said
    at: int | None
    """The first place where the server said something else; None where it never did."""
    cause: str
    """"" (same), tie (rounding may do that) or other."""
    telling: bool
    """Whether the base's answer is surely another one."""
    like_base: bool
    """Where tuned model and base part, it goes the base's way."""
    by_words: bool = False

    @property
    def agreed(self) -> int:
        """Tokens said alike from the start."""
        return len(self.tuned) if self.at is None else self.at

    @property
    def tuned(self) -> list[int]:
        """The tuned model's tokens that count."""
        return tuned_and_base(self.prompt)[0]

    def record(self) -> dict[str, Any]:
        """As stored."""
        return {
            "prompt": self.prompt.asked_text,
            "tuned_text": self.prompt.tuned_text[:SHOWN],
            "base_text": self.prompt.base_text[:SHOWN],
            "served_text": self.said.text[:SHOWN],
            "tuned": self.tuned,
            "base": tuned_and_base(self.prompt)[1],
            "served": self.said.text[:SHOWN] if self.by_words else self.said.tokens,
            "diverges_at": self.at,
            "cause": self.cause,
            "matches_tuned": self.at is None,
            "matches_base": self.like_base,
        }

    def divergence(self) -> dict[str, Any]:
        """The first token that is another one, both ways."""
        at = self.at or 0
        ours = self.tuned[at] if at < len(self.tuned) else END
        margin = self.prompt.margins[at] if at < len(self.prompt.margins) else None
        told: dict[str, Any] = {
            "prompt": self.prompt.asked_text,
            "at": at,
            "expected": {"id": ours, "text": "(the end)" if ours == END else self.prompt.piece(at)},
            "served": {"id": self._served(at), "text": self._served_piece(at)},
            "like_base": self.like_base,
            "cause": self.cause,
        }
        return told if margin is None else told | {"margin": margin}

    def _served(self, at: int) -> int | None:
        tokens = None if self.by_words else self.said.tokens
        return None if tokens is None else tokens[at] if at < len(tokens) else END

    def _served_piece(self, at: int) -> str:
        if self._served(at) == END:
            return "(the end)"
        if at < len(self.said.pieces):
            return self.said.pieces[at]
        start = self.prompt.offsets[at - 1] if 0 < at <= len(self.prompt.offsets) else 0
        return self.said.text[start:][:40]


def compare(prompt: GoldenPrompt, said: Said) -> Compared:
    """By token ids where the server shows them, else by words."""
    return _by_words(prompt, said) if said.tokens is None else _by_tokens(prompt, said, said.tokens)


def tuned_and_base(prompt: GoldenPrompt) -> tuple[list[int], list[int]]:
    """The tokens that count of both answers: all of them where it is known how sure the model was of each."""
    if prompt.rivals is not None or prompt.tuned[:COMPARED] == prompt.base[:COMPARED]:
        return prompt.tuned, prompt.base
    return prompt.tuned[:COMPARED], prompt.base[:COMPARED]


def parting(ours: list[int], theirs: list[int]) -> int | None:
    """The first place where two answers differ; the shorter one may only have been cut."""
    return next((at for at, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), None)


def _by_tokens(prompt: GoldenPrompt, said: Said, tokens: list[int]) -> Compared:
    tuned, base = tuned_and_base(prompt)
    served = [*tokens, *([END] if said.ended else [])]
    at, fork = parting(tuned, served), parting(tuned, base)
    tie = at is not None and prompt.undecided(at, served[at])
    like_base = fork is not None and served[: fork + 1] == base[: fork + 1]
    return Compared(prompt, said, at, "" if at is None else "tie" if tie else "other", _telling(prompt), like_base)


def _telling(prompt: GoldenPrompt) -> bool:
    """Whether the base says something that rounding does not make of the tuned model's answer."""
    tuned, base = tuned_and_base(prompt)
    fork = parting(tuned, base)
    return fork is not None and not prompt.undecided(fork, base[fork])


def _by_words(prompt: GoldenPrompt, said: Said) -> Compared:
    tuned, base, served = (_clean(text) for text in (prompt.tuned_text, prompt.base_text, said.text))
    shared = _common(tuned, served)
    at = None if tuned == served else _place(prompt, shared)
    cause = "" if at is None else "tie" if _torn(prompt, at, tuned[: shared + 1]) else "other"
    like_base = tuned != base and at is not None and (served == base or _common(base, served) > shared)
    return Compared(prompt, said, at, cause, tuned != base and _telling(prompt), like_base, by_words=True)


def _torn(prompt: GoldenPrompt, at: int, shared: str) -> bool:
    """Whether the tuned model was undecided where two texts part; letters that are not whole hide where that was."""
    first, last = at, at
    if BROKEN in shared:
        first, last = max(_place(prompt, shared.index(BROKEN)) - 1, 0), at + 1
    return any((prompt.rivals or {}).get(place) for place in range(first, last + 1))


def _clean(text: str) -> str:
    return text.rstrip(BROKEN).strip()


def _common(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _place(prompt: GoldenPrompt, letters: int) -> int:
    """Which token of the tuned answer these letters reach into."""
    stripped = len(prompt.tuned_text) - len(prompt.tuned_text.lstrip())
    ends = prompt.offsets or list(range(1, len(prompt.tuned) + 1))
    return next((at for at, end in enumerate(ends) if end > letters + stripped), max(len(prompt.tuned) - 1, 0))

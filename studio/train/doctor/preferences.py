"""Thumbs that nearly all point one way, and preferences that are about length more than anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.train.doctor.finding import Case, Finding

THUMBS_SKEW, LONGER_SKEW, LEAST = 0.9, 0.85, 20


def thumbs(case: Case) -> Iterator[Finding]:
    """KTO learns from both kinds; few of one kind count for little."""
    labels = [line["label"] for line in case.lines.train if "label" in line]
    if len(labels) < LEAST:
        return
    wanted = sum(map(bool, labels)) / len(labels)
    if max(wanted, 1 - wanted) >= THUMBS_SKEW:
        side, other = ("wanted", "unwanted") if wanted > 0.5 else ("unwanted", "wanted")
        text = f"{max(wanted, 1 - wanted):.0%} of the judged answers are {side}; there is little to tell it from."
        yield Finding("warning", text, f"Collect more {other} answers on Improve.", page="improve")


def longer(case: Case) -> Iterator[Finding]:
    """When the better answer is nearly always the longer one, length is what is learned."""
    pairs = [(_size(line["chosen"]), _size(line["rejected"])) for line in case.lines.train if "chosen" in line]
    differing = [(better, worse) for better, worse in pairs if better != worse]
    if len(differing) < LEAST:
        return
    share = sum(better > worse for better, worse in differing) / len(differing)
    if max(share, 1 - share) >= LONGER_SKEW:
        way = "longer" if share > 0.5 else "shorter"
        text = f"In {max(share, 1 - share):.0%} of the pairs the better answer is the {way} one: length may be learned."
        yield Finding("info", text, "If that is not what people meant, try SimPO, which is fair to length.")


def _size(answer: Any) -> int:
    if isinstance(answer, list):
        return sum(len(str(message.get("content") or "")) for message in answer)
    return len(str(answer))

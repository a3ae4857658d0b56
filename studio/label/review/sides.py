"""Train or golden: an example kept on one side takes every other one with the same prompt along."""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from storage.repositories.reviews import OutcomeRepository
from storage.tables import Example
from storage.types import now

LEAK, DUPLICATE = "leak", "duplicate"


def keep_in(session: Session, example: Example, keep: str) -> dict[str, Any]:
    """Take the decided example in, on this side (empty: where it is); returns what its twins were before.

    A prompt is never on both sides, and only one of equal prompts is in. Prompts that are only nearly equal are held
    back from training when a version is frozen, so one that was left out as a leak stays out of training.
    """
    example.split = keep or example.split
    if example.excluded != LEAK or example.split == "golden":
        example.excluded = None
    return {twin.id: kept for twin in OutcomeRepository(session).twins(example) if (kept := _follow(example, twin))}


def restore_twins(session: Session, kept: dict[str, Any]) -> None:
    """Bring the twins back as they were; those that somebody changed since stay."""
    for example_id, facts in kept.items():
        twin = session.get(Example, example_id)
        if twin and _facts(twin) == facts["after"]:
            twin.split, twin.excluded = facts["before"]
            twin.updated_at = now()
            session.add(twin)


def _follow(example: Example, twin: Example) -> dict[str, Any] | None:
    before = _facts(twin)
    twin.split = example.split
    if twin.excluded is None and example.excluded is None:
        twin.excluded = DUPLICATE
    if _facts(twin) == before:
        return None
    twin.updated_at = now()
    return {"before": before, "after": _facts(twin)}


def _facts(example: Example) -> list[str | None]:
    return [example.split, example.excluded]

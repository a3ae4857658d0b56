"""Resolutions of a decision: its own, its label item's, and every open dispute about the example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlmodel import Session

from storage.repositories.reviews import OutcomeRepository
from storage.tables import Example, LabelItem, Resolution, ReviewItem

if TYPE_CHECKING:
    from studio.label.review.deciding import Word

FIELDS = ("review_item_id", "verdict", "output", "rule", "decided_by")


def settle_all(
    session: Session, item: ReviewItem, example: Example, word: Word, person: str
) -> tuple[Resolution, list[dict[str, Any]]]:
    """Write the decision into every resolution it answers; returns the item's own, and what all of them were before."""
    found = OutcomeRepository(session).resolutions(example.id, item.label_item_id, item.id)
    before = [{"id": each.id, **{name: getattr(each, name) for name in FIELDS}} for each in found]
    own = next((each for each in found if each.item_id == item.label_item_id and each.item_id), None)
    if own is None:
        own = _new(session, item, example)
        before.append({"id": own.id})
        found.append(own)
    for each in found:
        each.verdict, each.output, each.rule, each.decided_by = word.verdict, word.output, "review", person
        each.review_item_id = item.id if each is own else each.review_item_id
        session.add(each)
    session.flush()
    return own, before


def restore(session: Session, before: list[dict[str, Any]]) -> None:
    """Bring the resolutions back as they were; one that the decision made goes."""
    for facts in before:
        row = session.get(Resolution, facts["id"])
        if row is None:
            continue
        if len(facts) == 1:
            session.delete(row)
            continue
        for name in FIELDS:
            setattr(row, name, facts[name])
        session.add(row)
    session.flush()


def _new(session: Session, item: ReviewItem, example: Example) -> Resolution:
    label_item = session.get(LabelItem, item.label_item_id) if item.label_item_id else None
    made = Resolution(
        task_id=label_item.task_id if label_item else None,
        item_id=label_item.id if label_item else None,
        review_item_id=item.id,
        example_id=example.id,
    )
    session.add(made)
    session.flush()
    return made

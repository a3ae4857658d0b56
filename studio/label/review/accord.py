"""Agreement over a session's items: in the answers people brought, and in the votes they cast."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from sqlmodel import Session

from storage.repositories.labels import AnnotationRepository, LabelItemRepository
from storage.tables import LabelTask, ReviewItem, ReviewVote
from studio.label.measures import krippendorff_alpha, percent_agreement
from studio.label.resolve import same_answer
from studio.label.resolving import stands_by
from studio.label.review.voting import output_of

BEFORE, VOTES, DECISIONS = "answers before the session", "votes", "votes for the decided answer"
ALPHA = "Krippendorff's α (nominal)"


def before(session: Session, items: Sequence[ReviewItem]) -> list[dict[str, Any]]:
    """How far the people who labeled these items agreed on the right answer; an answer without one is its own."""
    ids = [item.label_item_id for item in items if item.label_item_id]
    answers, labeled = AnnotationRepository(session).of_items(ids), LabelItemRepository(session)
    said: list[dict[str, str]] = []
    for item_id in ids:
        item = labeled.get(item_id)
        task = session.get(LabelTask, item.task_id) if item else None
        if item and task:
            outputs = {each.annotator: stands_by(task, item, each) for each in answers.get(item_id, [])}
            said.append({name: _key(output) for name, output in outputs.items()})
    return _measured(BEFORE, said)


def after(items: Sequence[ReviewItem], votes: Mapping[str, Sequence[ReviewVote]]) -> list[dict[str, Any]]:
    """How far the votes agreed with each other, and with what was decided; only items that are on the table."""
    shown = [item for item in items if item.state != "voting"]
    said = [{vote.person: _key(output_of(vote, item)) for vote in votes.get(item.id, [])} for item in shown]
    return [*_measured(VOTES, said), *_with_decisions(shown, votes)]


def _measured(question: str, said: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    people = sorted({name for each in said for name in each})
    rows: list[list[Hashable | None]] = [[each.get(name) for name in people] for each in said]
    percent, n = percent_agreement(rows), sum(len(each) > 1 for each in said)
    if percent is None:
        return []
    alpha = krippendorff_alpha(rows, "nominal")
    facts = {"question": question, "percent": round(percent, 1), "n": n, "measure": ALPHA}
    return [{**facts, "value": alpha.value, "low": alpha.low, "high": alpha.high}]


def _with_decisions(items: Sequence[ReviewItem], votes: Mapping[str, Sequence[ReviewVote]]) -> list[dict[str, Any]]:
    right = total = 0
    for item in items:
        decided = item.decision.get("output")
        outputs = [output_of(vote, item) for vote in votes.get(item.id, [])]
        if decided is not None:
            given = [same_answer(each) for each in outputs if each is not None]
            total, right = total + len(given), right + given.count(same_answer(decided))
    return [{"question": DECISIONS, "percent": round(100 * right / total, 1), "n": total}] if total else []


def _key(output: str | None) -> str:
    return "none" if output is None else same_answer(output)

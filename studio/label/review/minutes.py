"""The minutes of a session: what went where, by whose word, and what stayed open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median

from sqlmodel import Session

from storage.repositories.reviews import (
    OutcomeRepository,
    ReviewItemRepository,
    ReviewPresenceRepository,
    ReviewVoteRepository,
)
from storage.tables import Example, ReviewItem, ReviewSession, ReviewVote
from storage.types import now
from studio.capture.text import prompt_text
from studio.label.resolve import same_answer
from studio.label.review import accord
from studio.label.review.agenda import gaps_of
from studio.label.review.found import found_review
from studio.label.review.shapes import ChangedGuideline, Decided, Minutes
from studio.label.review.voting import output_of

EXCERPT = 400
WHEN = "%d %B %Y, %H:%M UTC"


def minutes_of(session: Session, session_id: str) -> Minutes:
    """The minutes so far; only what was decided is in them, so they tell nothing about votes still blind."""
    review = found_review(session, session_id)
    pairs = ReviewItemRepository(session).window(session_id, 0, 100_000)
    votes = ReviewVoteRepository(session).of_session(session_id)
    rows = [_row(item, example, votes.get(item.id, [])) for item, example in pairs if item.state == "decided"]
    kept = [row for row in rows if row.verdict in ("confirmed", "corrected")]
    golden = {example.id for item, example in pairs if item.state == "decided" and _split(item, example) == "golden"}
    items = [item for item, _example in pairs]
    dataset = OutcomeRepository(session).dataset(review.dataset_id)
    return Minutes(
        title=review.title,
        dataset=dataset.name if dataset else "",
        state=review.state,
        chair=review.chair,
        people=[each.person for each in ReviewPresenceRepository(session).of_session(session_id)],
        started=f"{review.created_at:{WHEN}}",
        closed=f"{review.closed_at:{WHEN}}" if review.closed_at else "",
        items=len(items),
        undecided=len(items) - len(rows),
        to_training=[row for row in kept if row.example_id not in golden],
        to_golden=[row for row in kept if row.example_id in golden],
        dropped=[row for row in rows if row.verdict == "left_out"],
        open_questions=[row for row in rows if row.verdict == "open"],
        guidelines=[_guideline(item) for item in items if item.state == "decided" and item.decision.get("rule")],
        agreement_before=review.agreement_before,
        agreement_after=review.agreement_after or accord.after(items, votes),
        minutes_spent=round(_spent(review, items).total_seconds() / 60, 1),
        seconds_per_item=_pace(review, items),
    )


def _row(item: ReviewItem, example: Example, votes: Sequence[ReviewVote]) -> Decided:
    decision = item.decision
    output = str(decision.get("output") or "")
    said = [each for each in (output_of(vote, item) for vote in votes) if each is not None]
    return Decided(
        position=item.position,
        example_id=example.id,
        prompt=prompt_text(example.messages)[:EXCERPT],
        output=output,
        verdict=str(decision.get("verdict", "")),
        reason=item.reason,
        decided_by=item.decided_by,
        for_it=sum(same_answer(each) == same_answer(output) for each in said) if output else 0,
        votes=len(said),
        note=str(decision.get("note", "")),
        moved_from=str(decision.get("moved_from", "")),
        frozen_in=[int(number) for number in decision.get("frozen_in", [])],
    )


def _split(item: ReviewItem, example: Example) -> str:
    """The side the decision put it on; later moves are not this session's."""
    return str(item.decision.get("undo", {}).get("after", {}).get("split") or example.split)


def _guideline(item: ReviewItem) -> ChangedGuideline:
    guideline = item.decision.get("guideline") or {}
    return ChangedGuideline(
        str(guideline.get("task", "")), guideline.get("version"), str(item.decision["rule"]), item.decided_by
    )


def _spent(review: ReviewSession, items: Sequence[ReviewItem]) -> timedelta:
    """From the start to the last decision, or to now while the session goes on."""
    moments: list[datetime] = [item.decided_at for item in items if item.decided_at]
    end = max(moments, default=review.closed_at or now()) if review.state == "closed" else now()
    return max(timedelta(0), end - review.created_at)


def _pace(review: ReviewSession, items: Sequence[ReviewItem]) -> float | None:
    gaps = gaps_of([(review.id, item.decided_at) for item in items if item.decided_at])
    return round(median(gaps), 1) if gaps else None

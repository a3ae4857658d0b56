"""The room: who is here and where, and what each item looks like to the person who asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlmodel import Session

from storage.repositories.reviews import (
    ReviewItemRepository,
    ReviewPresenceRepository,
    ReviewVoteRepository,
)
from storage.tables import Example, ReviewItem, ReviewPresence, ReviewSession
from storage.types import now
from studio.label.publishing import shown_messages
from studio.label.review.found import PRESENT_S, found_review
from studio.label.review.shapes import Ballot, Card, Line, Room

FARTHEST = 10_000
UNDO = "undo"
"""Key of a decision that keeps what it replaced; nobody but undo reads it."""


def here(presence: ReviewPresence) -> bool:
    """Whether the person is in the room now."""
    return presence.seen_at > now() - timedelta(seconds=PRESENT_S)


def on_agenda(position: int) -> int:
    """A position as it may be stored, whatever a browser says."""
    return min(max(0, int(position)), FARTHEST)


def place_of(session: Session, review: ReviewSession, person: str) -> ReviewPresence:
    """The person's place, made when they come for the first time. The session must be held."""
    places = ReviewPresenceRepository(session)
    place = places.find_one(session_id=review.id, person=person)
    return place or places.add(ReviewPresence(session_id=review.id, person=person))


def show_room(session: Session, session_id: str, person: str) -> Room:
    """Everything that changes, in one read of four queries."""
    review = found_review(session, session_id)
    votes = ReviewVoteRepository(session).ballots(session_id)
    present = [
        (each.person, each.position) for each in ReviewPresenceRepository(session).of_session(session_id) if here(each)
    ]
    rows = ReviewItemRepository(session).states(session_id)
    return Room(review, present, [_line(row, votes.get(row[0], []), person) for row in rows], review.revision)


def show_window(session: Session, session_id: str, start: int, size: int) -> list[Card]:
    """The content of some items; it changes only with an item's revision."""
    found_review(session, session_id)
    return [_card(item, example) for item, example in ReviewItemRepository(session).window(session_id, start, size)]


def public(decision: dict[str, Any]) -> dict[str, Any]:
    """A decision without what it replaced."""
    return {name: value for name, value in decision.items() if name != UNDO}


def _line(row: tuple[str, int, str, str, dict[str, Any], str, int], votes: Sequence[tuple[Any, ...]], me: str) -> Line:
    item_id, position, reason, state, decision, decided_by, revision = row
    ballots = [Ballot(*vote) for vote in votes]
    mine = next((each for each in ballots if each.person == me), None)
    shown = ballots if state != "voting" else []
    voted = [each.person for each in ballots]
    return Line(item_id, position, reason, state, voted, mine, shown, public(decision), decided_by, revision)


def _card(item: ReviewItem, example: Example) -> Card:
    blind = item.state == "voting"
    choices = [{"output": each["output"], "by": [] if blind else each["by"]} for each in item.choices]
    messages = [(each["role"], each["content"]) for each in shown_messages(example.messages)]
    return Card(
        item.id,
        item.position,
        messages,
        example.output,
        choices,
        item.reason,
        item.state,
        item.revision,
        example.split,
    )

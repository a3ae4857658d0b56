"""Finding a session or an item inside a transaction, held so that changes happen one after another."""

from __future__ import annotations

from sqlmodel import Session

from storage.repositories.reviews import ReviewItemRepository, ReviewSessionRepository
from storage.tables import Example, ReviewItem, ReviewSession
from studio.access.actor import Actor
from studio.errors import Conflict, NotAllowed, NotFound

PRESENT_S = 15
"""Who was not heard of for this long is not in the room."""


def found_review(session: Session, session_id: str) -> ReviewSession:
    """The review session, to look at. Raises NotFound."""
    return _known(ReviewSessionRepository(session).get(session_id))


def held_review(session: Session, session_id: str) -> ReviewSession:
    """The review session, held until the transaction ends. Raises NotFound."""
    return _known(ReviewSessionRepository(session).locked(session_id))


def open_review(session: Session, session_id: str) -> ReviewSession:
    """The review session, held; it must be open."""
    review = held_review(session, session_id)
    if review.state != "open":
        raise Conflict("This session is closed and its minutes stand. Start a new one to go on.")
    return review


def open_item(session: Session, item_id: str) -> tuple[ReviewSession, ReviewItem]:
    """An item with its open session, held, both as they are now. Raises NotFound."""
    items = ReviewItemRepository(session)
    item = items.get(item_id)
    if item is None:
        raise NotFound("There is no such item on any agenda. Reload the page to see what is there now.")
    review = open_review(session, item.session_id)
    session.refresh(item)  # somebody may have changed it while we waited for the session
    return review, item


def example_of(session: Session, item: ReviewItem) -> Example:
    """The item's example, as it is now, held until the transaction ends. Raises NotFound."""
    example = session.get(Example, item.example_id, with_for_update=True, populate_existing=True)
    if example is None:
        raise NotFound("The example of this item is gone. Reload the page.")
    return example


def must_chair(review: ReviewSession, actor: Actor) -> None:
    """Let only the chair go on."""
    if review.chair != actor.username:
        raise NotAllowed(f"{review.chair} has the chair and decides. Take the chair first if they are gone.")


def _known(review: ReviewSession | None) -> ReviewSession:
    if review is None:
        raise NotFound("There is no such review session. Choose one on the Review page.")
    return review

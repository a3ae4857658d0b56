"""Keys pressed in a browser, carried out exactly once: each tab numbers its events, and we remember the newest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session

from storage.repositories.reviews import ReviewItemRepository
from storage.tables import ReviewPresence, ReviewSession
from studio.errors import Conflict, InvalidInput, NotFound, StudioError
from studio.label.review.room import on_agenda
from studio.label.review.shapes import Acked, Problem
from studio.label.review.voting import Said, cast, withdraw

MOST_TABS = 8
LONGEST_NAME = 40
MOVE = "move"
"""Wish of an event that only says where the person is now."""
WITHDRAW = "withdraw"
"""Wish of an event that takes the person's own vote back."""


def acked_of(place: ReviewPresence, tab: str) -> int:
    """Number of the newest event from this browser tab that was carried out."""
    return int(place.acks.get(tab, 0)) if tab else place.acked


def carry_out(
    session: Session, review: ReviewSession, place: ReviewPresence, events: Sequence[Mapping[str, Any]], tab: str
) -> tuple[Acked, bool]:
    """Carry the new events out in their order, up to the first gap: what is missing will be sent again.

    Also says whether anything changed that others should see.
    """
    if len(tab) > LONGEST_NAME:
        raise InvalidInput(f"The name of a browser tab has at most {LONGEST_NAME} characters.")
    acked, changed = acked_of(place, tab), False
    problems = [Problem(0, "", "An event came without a number.") for event in events if _number(event) is None]
    for event in sorted((each for each in events if _number(each) is not None), key=lambda each: int(each["seq"])):
        number = int(event["seq"])
        if number > acked + 1:
            break
        if number == acked + 1:
            acked = number
            try:
                changed |= _one(session, review, place, event)
            except StudioError as error:
                problems.append(Problem(number, str(event.get("item_id") or ""), error.message))
    _remember(place, tab, acked)
    session.add(place)
    return Acked(acked, problems), changed


def _one(session: Session, review: ReviewSession, place: ReviewPresence, event: Mapping[str, Any]) -> bool:
    if review.state != "open":
        raise Conflict("This session is closed and its minutes stand.")
    if isinstance(event.get("position"), int):
        place.position = on_agenda(event["position"])
    if event.get("wish") == MOVE:
        return False
    item = ReviewItemRepository(session).get(str(event.get("item_id") or ""))
    if item is None or item.session_id != review.id:
        raise NotFound("There is no such item in this session. Reload the page.")
    if event.get("wish") == WITHDRAW:
        return withdraw(session, item, place.person)
    given = {name: event[name] for name in ("choice", "output", "wish", "comment") if event.get(name) is not None}
    return cast(session, review, item, place.person, Said.read(given, item.choices))


def _number(event: Mapping[str, Any]) -> int | None:
    found = event.get("seq") if isinstance(event, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else None


def _remember(place: ReviewPresence, tab: str, acked: int) -> None:
    if not tab:
        place.acked = acked
        return
    others = [each for each in place.acks.items() if each[0] != tab]
    place.acks = dict([*others[-(MOST_TABS - 1) :], (tab, acked)])

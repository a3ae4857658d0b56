"""Carrying out what a browser told: votes exactly once, then the chair's order; problems become one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from pydantic import ValidationError

from studio.access.actor import Actor
from studio.errors import InvalidInput, SignedOut, StudioError
from studio.label.review.service import Reviews
from studio.label.review.shapes import Line, Room
from studio.ui.review.exchange import Order, Sent, Wire, chosen_output, decides_alone

GIVEN = ("choose", "edit")


def read_sent(found: object) -> Sent:
    """What came from the browser, checked. Raises InvalidInput."""
    try:
        return Sent.model_validate(found)
    except ValidationError as error:
        raise InvalidInput("The browser sent what this page does not understand. Reload the page.") from error


def carry_out(reviews: Reviews, actor: Actor, wire: Wire, sent: Sent) -> None:
    """Do everything that was told; what was refused is said on the screen and not sent again."""
    wire.heard(sent)
    if sent.events:
        acked = reviews.apply_events(actor, wire.session_id, sent.events, sent.tab)
        wire.acked = acked.acked
        room = reviews.room(actor, wire.session_id)
        problems = {each.item_id: each.message for each in acked.problems}
        if decides_alone(room, actor.username):
            problems |= _settle_own(reviews, actor, room, _voted(sent.events) - problems.keys())
        if problems:
            wire.told = {"n": wire.told["n"], "error": _sentence(room, problems)}
    if sent.order and sent.order.n != wire.told["n"]:
        wire.told = {"n": sent.order.n, "error": _obey(reviews, actor, wire, sent.order)}


def _obey(reviews: Reviews, actor: Actor, wire: Wire, order: Order) -> str:
    """Carry out the chair's order; the sentence that says why not, or nothing."""
    try:
        if order.verb == "reveal":
            reviews.reveal(actor, order.item_id)
        elif order.verb == "undo":
            reviews.undo(actor, order.item_id, order.revision)
        else:
            given = order.model_dump(include={"verdict", "output", "keep", "rule", "note"})
            reviews.decide(actor, order.item_id, _revision(reviews, actor, wire, order), **given)
    except SignedOut:
        raise
    except StudioError as error:
        return error.message
    return ""


def _revision(reviews: Reviews, actor: Actor, wire: Wire, order: Order) -> int:
    """The revision the decision is about; whoever decides alone has nobody to wait for and reveals on the way."""
    room = reviews.room(actor, wire.session_id)
    line = next((each for each in room.lines if each.item_id == order.item_id), None)
    if line is None or line.state != "voting" or not decides_alone(room, actor.username):
        return order.revision
    reviews.reveal(actor, order.item_id)
    return order.revision + 1


def _voted(events: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(event.get("item_id")) for event in events if event.get("wish") in GIVEN}


def _settle_own(reviews: Reviews, actor: Actor, room: Room, voted: Set[str]) -> dict[str, str]:
    """Whoever decides alone decides with their vote; what could not be decided, with the reason."""
    problems = {}
    for line in room.lines:
        if line.item_id in voted and line.state == "revealed" and (problem := _decide(reviews, actor, room, line)):
            problems[line.item_id] = problem
    return problems


def _decide(reviews: Reviews, actor: Actor, room: Room, line: Line) -> str:
    [card] = reviews.window(room.session.id, line.position, 1)
    output = chosen_output(line, card.choices)
    try:
        reviews.decide(actor, line.item_id, line.revision, "confirmed" if output == card.shown else "corrected", output)
    except SignedOut:
        raise
    except StudioError as error:
        return error.message
    return ""


def _sentence(room: Room, problems: Mapping[str, str]) -> str:
    """The first problem, and the record it is about: the person may be further on already."""
    item_id, message = next(iter(problems.items()))
    place = next((line.position + 1 for line in room.lines if line.item_id == item_id), None)
    return f"Record {place}: {message}" if place else message

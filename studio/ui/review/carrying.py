"""Carrying out what a browser told: votes exactly once, then the chair's order; problems become one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from studio.access.actor import Actor
from studio.errors import InvalidInput, SignedOut, StudioError
from studio.label.review.service import Reviews
from studio.label.review.shapes import Acked, Line
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
        _settle_own(reviews, actor, wire, sent.events, acked)
        if acked.problems:
            wire.told = {"n": wire.told["n"], "error": acked.problems[0].message}
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


def _settle_own(reviews: Reviews, actor: Actor, wire: Wire, events: Sequence[dict[str, Any]], acked: Acked) -> None:
    """Whoever decides alone decides with their vote."""
    room = reviews.room(actor, wire.session_id)
    if not decides_alone(room, actor.username):
        return
    refused = {each.item_id for each in acked.problems}
    voted = {str(event.get("item_id")) for event in events if event.get("wish") in GIVEN} - refused
    for line in room.lines:
        if line.item_id in voted and line.state == "revealed":
            _decide(reviews, actor, wire, line)


def _decide(reviews: Reviews, actor: Actor, wire: Wire, line: Line) -> None:
    [card] = reviews.window(wire.session_id, line.position, 1)
    output = chosen_output(line, card.choices)
    verdict = "confirmed" if output == card.shown else "corrected"
    order = Order(n=0, verb="decide", item_id=line.item_id, revision=line.revision, verdict=verdict, output=output)
    problem = _obey(reviews, actor, wire, order)
    if problem:
        wire.told = {"n": wire.told["n"], "error": problem}

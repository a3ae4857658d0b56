"""What travels between the screen and the studio: news one way, votes and the chair's orders the other."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.label.review.shapes import Card, Line, Place, Room

WINDOW = 60
BEHIND = 10
MOST_EVENTS = 200


class Order(BaseModel):
    """One thing the chair wants done, naming the revision they saw."""

    model_config = ConfigDict(extra="forbid")

    n: int
    verb: Literal["reveal", "decide", "undo"]
    item_id: str = Field(max_length=64)
    revision: int = 0
    verdict: str = ""
    output: str | None = Field(None, max_length=100_000)
    keep: str = ""
    rule: str = ""
    note: str = ""


class Sent(BaseModel):
    """All that a browser tells at once; nobody vouches for it."""

    model_config = ConfigDict(extra="forbid")

    n: int = 0
    tab: str = Field("", max_length=40)
    has: str = Field("", max_length=64)
    """Token of the newest parcel of cards that arrived; empty asks for all again."""
    position: int = Field(0, ge=0)
    events: list[dict[str, Any]] = Field(default_factory=list, max_length=MOST_EVENTS)
    order: Order | None = None


@dataclass
class Wire:
    """What this browser already has, so that each news is small."""

    session_id: str
    position: int = 0
    tab: str = ""
    acked: int = -1
    """The newest event of this tab that was carried out; below 0 while we do not know."""
    told: dict[str, Any] = field(default_factory=lambda: {"n": 0, "error": ""})
    arrived: dict[str, int] = field(default_factory=dict)
    """Item id → revision of the cards that the browser holds."""
    parcel: dict[str, int] = field(default_factory=dict)
    cards: list[dict[str, Any]] = field(default_factory=list)
    beaten: tuple[int, float] = (-1, 0.0)
    """Where, and when, the studio last heard from us that this person is here."""

    @classmethod
    def at(cls, session_id: str, place: Place) -> Wire:
        """A browser that has nothing yet."""
        return cls(session_id, place.position)

    @property
    def token(self) -> str:
        """Name of the parcel under way; changes with its content."""
        said = ",".join(f"{item}:{revision}" for item, revision in self.parcel.items())
        return hashlib.sha256(said.encode()).hexdigest()[:16] if said else ""

    def heard(self, sent: Sent) -> None:
        """The browser says where it is and what arrived."""
        if sent.tab != self.tab:
            self.tab, self.acked = sent.tab, -1
        self.position = sent.position
        if not sent.has:
            self.arrived.clear()
        elif sent.has == self.token:
            self.arrived |= self.parcel
            self.parcel, self.cards = {}, []

    @property
    def first(self) -> int:
        """Position of the window's first card."""
        return max(0, self.position - BEHIND)

    def missing(self, lines: list[Line]) -> dict[str, int]:
        """Items of the window whose card the browser lacks, or has of an older revision."""
        window = lines[self.first : self.first + WINDOW]
        return {each.item_id: each.revision for each in window if self.arrived.get(each.item_id) != each.revision}

    def pack(self, wanted: dict[str, int], cards: list[Card]) -> None:
        """Put the wanted cards into the parcel."""
        self.parcel = wanted
        self.cards = [card_facts(card) for card in cards if card.item_id in wanted]


def card_facts(card: Card) -> dict[str, Any]:
    """A card as the screen draws it."""
    return {
        "item_id": card.item_id,
        "position": card.position,
        "messages": card.messages,
        "shown": card.shown,
        "choices": card.choices,
        "reason": card.reason,
        "split": card.split,
    }


def line_facts(line: Line) -> dict[str, Any]:
    """An item's changing part as the screen draws it."""
    facts = asdict(line)
    del facts["reason"]
    return facts


def news(wire: Wire, room: Room, me: str) -> dict[str, Any]:
    """Everything the screen is handed; equal when nothing changed, so that nothing is drawn again."""
    return {
        "session": room.session.id,
        "me": me,
        "chair": room.session.chair,
        "people": list(room.session.people),
        "open": room.session.state == "open",
        "alone": decides_alone(room, me),
        "total": len(room.lines),
        "position": wire.position,
        "tab": wire.tab,
        "acked": wire.acked,
        "told": wire.told,
        "present": room.present,
        "lines": [line_facts(line) for line in room.lines],
        **({"cards": wire.cards, "token": wire.token} if wire.cards else {}),
    }


def decides_alone(room: Room, me: str) -> bool:
    """Whether nobody else is asked: then a choice is the decision."""
    return room.session.chair == me and set(room.session.people) <= {me} and {who for who, _at in room.present} <= {me}


def chosen_output(line: Line, choices: Sequence[Mapping[str, Any]]) -> str | None:
    """The answer this person stands by, or None when they gave none."""
    vote = line.my_vote
    if vote is None or vote.wish not in ("choose", "edit"):
        return None
    return vote.output if vote.choice is None else str(choices[vote.choice]["output"])

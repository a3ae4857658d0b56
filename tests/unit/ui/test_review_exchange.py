"""What the review screen and the studio tell each other: small news, votes once, refusals as one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlmodel import select

from storage.database import Database
from storage.tables import Dataset, Example, Person, Project, ReviewSession
from studio.access.actor import Actor, Role
from studio.errors import InvalidInput
from studio.label.review.service import Reviews
from studio.label.review.shapes import Line
from studio.ui.review.carrying import carry_out, read_sent
from studio.ui.review.exchange import WINDOW, Sent, Wire, news
from tests.fakes.disputes import answer, disputed_task

ADA, MIA = Actor("ada", Role.EDITOR), Actor("mia", Role.LABELER)
ITEMS = 12


@dataclass
class Tab:
    """One browser tab as the studio sees it."""

    reviews: Reviews
    actor: Actor
    wire: Wire
    seq: int = 0
    orders: int = 0

    @property
    def lines(self) -> list[Line]:
        return self.reviews.room(self.actor, self.wire.session_id).lines

    def tell(self, **said: Any) -> None:
        carry_out(self.reviews, self.actor, self.wire, read_sent({"tab": self.actor.username, **said}))

    def event(self, place: int, **said: Any) -> dict[str, Any]:
        self.seq += 1
        return {"seq": self.seq, "item_id": self.lines[place].item_id, "position": place, **said}

    def vote(self, place: int, **said: Any) -> None:
        self.tell(events=[self.event(place, **said)])

    def order(self, place: int, verb: str, **said: Any) -> str:
        self.orders += 1
        line = self.lines[place]
        self.tell(order={"n": self.orders, "verb": verb, "item_id": line.item_id, "revision": line.revision, **said})
        return str(self.wire.told["error"])


@pytest.fixture
def reviews(database: Database) -> Reviews:
    with database.write() as session:
        session.add_all([Person(username="ada", role="editor"), Person(username="mia", role="labeler")])
    return Reviews(database)


@pytest.fixture
def dataset(database: Database, project: Project) -> Dataset:
    with database.write() as session:
        made = Dataset(project_id=project.id, name="tickets")
        session.add(made)
    disputed_task(database, made.id, ("mia", "ada"), ITEMS)
    return made


def started(reviews: Reviews, dataset: Dataset, *people: str) -> ReviewSession:
    return reviews.start(ADA, dataset.id, "Thursday", {"kind": "disputes"}, people=people)


def tab(reviews: Reviews, review: ReviewSession, actor: Actor) -> Tab:
    return Tab(reviews, actor, Wire.at(review.id, reviews.enter(actor, review.id)))


def test_whoever_decides_alone_decides_with_the_vote(reviews: Reviews, dataset: Dataset, database: Database) -> None:
    ada = tab(reviews, started(reviews, dataset, "ada"), ADA)
    ada.tell(events=[ada.event(0, wish="choose", choice=1), ada.event(1, wish="edit", output=answer("fraud"))])
    assert [line.state for line in ada.lines[:3]] == ["decided", "decided", "voting"]
    assert ada.lines[1].decision["verdict"] == "corrected" and ada.lines[1].decision["output"] == answer("fraud")
    with database.read() as session:
        decided = session.exec(select(Example).where(Example.verified)).all()
    assert len(decided) == 2


def test_alone_a_skip_decides_nothing_and_leaving_out_needs_no_vote(reviews: Reviews, dataset: Dataset) -> None:
    ada = tab(reviews, started(reviews, dataset, "ada"), ADA)
    ada.vote(0, wish="skip")
    assert ada.lines[0].state == "revealed" and not ada.lines[0].decision
    assert ada.order(1, "decide", verdict="left_out") == ""
    assert ada.lines[1].decision["verdict"] == "left_out"
    assert ada.order(1, "undo") == "" and ada.lines[1].state == "revealed"


def test_events_that_are_told_again_are_carried_out_once(reviews: Reviews, dataset: Dataset) -> None:
    review = started(reviews, dataset, "ada", "mia")
    mia = tab(reviews, review, MIA)
    events = [mia.event(place, wish="choose", choice=0) for place in range(3)]
    mia.tell(events=events[:2])
    mia.tell(events=events)
    mia.tell(events=events)
    assert mia.wire.acked == 3 and [line.voted for line in mia.lines[:4]] == [["mia"]] * 3 + [[]]


def test_a_vote_is_withdrawn_and_nobody_sees_what_it_was(reviews: Reviews, dataset: Dataset) -> None:
    review = started(reviews, dataset, "ada", "mia")
    ada, mia = tab(reviews, review, ADA), tab(reviews, review, MIA)
    mia.vote(0, wish="choose", choice=1)
    seen = news(ada.wire, reviews.room(ADA, review.id), "ada")["lines"][0]
    assert seen["voted"] == ["mia"] and seen["votes"] == [] and seen["my_vote"] is None
    mia.vote(0, wish="withdraw")
    assert ada.lines[0].voted == []


def test_votes_reveal_for_all_and_only_the_chair_decides(reviews: Reviews, dataset: Dataset) -> None:
    review = started(reviews, dataset, "ada", "mia")
    ada, mia = tab(reviews, review, ADA), tab(reviews, review, MIA)
    ada.vote(0, wish="choose", choice=0)
    mia.vote(0, wish="choose", choice=1)
    assert ada.lines[0].state == "revealed", "deciding together, a vote does not decide"
    assert {vote.person: vote.choice for vote in mia.lines[0].votes} == {"ada": 0, "mia": 1}
    assert "labeler" in mia.order(0, "decide", verdict="left_out")
    assert ada.order(0, "decide", verdict="corrected", output=answer("refund"), keep="golden", note="agreed") == ""
    assert mia.lines[0].decision["keep"] == "golden"


def test_a_decision_on_what_changed_meanwhile_is_refused_with_a_sentence(reviews: Reviews, dataset: Dataset) -> None:
    review = started(reviews, dataset, "ada", "mia")
    ada, other = tab(reviews, review, ADA), tab(reviews, review, ADA)
    tab(reviews, review, MIA)
    assert ada.order(0, "reveal") == ""
    stale = ada.lines[0].revision
    assert other.order(0, "decide", verdict="open") == ""
    assert "ada decided this item" in ada.order(0, "decide", verdict="left_out", revision=stale)
    assert ada.lines[0].decision["verdict"] == "open"


def test_an_order_is_carried_out_once_and_its_answer_stays(reviews: Reviews, dataset: Dataset) -> None:
    ada = tab(reviews, started(reviews, dataset, "ada"), ADA)
    order = {"n": 7, "verb": "decide", "item_id": ada.lines[0].item_id, "revision": 0, "verdict": "left_out"}
    ada.tell(order=order)
    ada.tell(order=order)
    assert ada.wire.told == {"n": 7, "error": ""}


def test_a_refused_vote_names_its_record(reviews: Reviews, dataset: Dataset) -> None:
    ada = tab(reviews, started(reviews, dataset, "ada"), ADA)
    ada.vote(2, wish="choose", choice=9)
    assert ada.wire.told["error"].startswith("Record 3: Choose one of the answers 1 to")
    assert ada.wire.acked == 1, "it is not sent again"


def test_cards_travel_once_and_again_when_they_change_or_are_lost(reviews: Reviews, dataset: Dataset) -> None:
    review = started(reviews, dataset, "ada")
    ada = tab(reviews, review, ADA)

    def packed() -> list[str]:
        wanted = ada.wire.missing(ada.lines)
        ada.wire.pack(wanted, reviews.window(review.id, ada.wire.first, WINDOW))
        return [card["item_id"] for card in ada.wire.cards]

    assert len(packed()) == ITEMS
    ada.tell(has=ada.wire.token)
    assert packed() == []
    token = ada.wire.token
    ada.tell(has=token or "same", events=[ada.event(4, wish="choose", choice=0)])
    assert packed() == [ada.lines[4].item_id]
    ada.tell(has="")
    assert len(packed()) == ITEMS


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {"events": "all"},
        {"order": {"n": 1, "verb": "close", "item_id": "x"}},
        {"events": [{}] * 500},
        {"x": 1},
    ],
)
def test_what_a_browser_makes_up_is_refused(said: object) -> None:
    with pytest.raises(InvalidInput, match="Reload the page"):
        read_sent(said)


def test_news_without_changes_are_equal(reviews: Reviews, dataset: Dataset) -> None:
    review = started(reviews, dataset, "ada")
    ada = tab(reviews, review, ADA)
    ada.wire.heard(Sent(tab="t", has="x"))
    first, second = (news(ada.wire, reviews.room(ADA, review.id), "ada") for _ in range(2))
    assert first == second

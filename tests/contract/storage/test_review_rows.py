"""Many people in a review session at once: nothing is lost, nobody is overwritten, on either database."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from storage.database import Database
from storage.tables import Example, PreferencePair, Resolution, ReviewVote
from studio.access.actor import Actor, Role
from studio.curate.examples import set_answer
from studio.errors import Conflict, NotAllowed, StudioError
from tests.unit.label.review.conftest import FIX, MIA, NOAH, OLGA, RITA, Board, label_items, make_board

FIVE = [Actor(name, Role.LABELER) for name in ("mia", "noah", "pia", "quin", "ravi")]


@pytest.fixture
def board(stored: Database) -> Board:
    return make_board(stored)


def at_once(*verbs: Callable[[], object]) -> list[object]:
    """Run these at the same moment, each in a thread of its own; errors for the user are results."""
    together = Barrier(len(verbs))

    def run(verb: Callable[[], object]) -> object:
        together.wait(10)
        try:
            return verb()
        except StudioError as error:
            return error

    with ThreadPoolExecutor(len(verbs)) as pool:
        return list(pool.map(run, verbs))


def test_five_people_voting_forty_times_each_at_once_lose_nothing(board: Board) -> None:
    label_items(board, 40)
    review = board.start(minutes=60)
    items = board.items(review)[:40]

    def press(actor: Actor) -> Callable[[], object]:
        board.reviews.enter(actor, review.id)
        keys = [{"seq": seq, "item_id": item.id, "choice": seq % 2} for seq, item in enumerate(items, start=1)]
        batches = [keys[start : start + 8] for start in range(0, 40, 8)]
        return lambda: [board.reviews.apply_events(actor, review.id, batch).acked for batch in batches][-1]

    assert at_once(*[press(actor) for actor in FIVE]) == [40] * 5
    votes = board.rows(ReviewVote)
    assert len(votes) == 200
    place = {item.id: seq % 2 for seq, item in enumerate(items, start=1)}
    assert all(vote.choice == place[vote.item_id] for vote in votes)
    room = board.reviews.room(RITA, review.id)
    assert {line.state for line in room.lines[:40]} == {"revealed"}
    assert all(len(line.votes) == 5 for line in room.lines[:40])


def test_two_decisions_at_once_make_one_and_the_other_is_told(board: Board) -> None:
    review = board.start()
    for item in board.items(review):
        board.reviews.reveal(RITA, item.id)
        seen = board.item(item.id).revision
        results = at_once(
            lambda item=item, seen=seen: board.reviews.decide(RITA, item.id, seen, "corrected", FIX),
            lambda item=item, seen=seen: board.reviews.decide(RITA, item.id, seen, "left_out"),
        )
        [refused] = [each for each in results if isinstance(each, Conflict)]
        assert "rita decided this item" in refused.message
        example, [resolution] = board.row(Example, item.example_id), board.rows(Resolution, review_item_id=item.id)
        assert (example.excluded is None) == (resolution.verdict == "corrected")
        assert len(board.rows(PreferencePair, example_id=item.example_id)) == (resolution.verdict == "corrected")


def test_of_two_people_taking_the_chair_at_once_one_gets_it(board: Board) -> None:
    review = board.start()
    paul = Actor("paul", Role.EDITOR)
    results = at_once(
        lambda: board.reviews.take_chair(OLGA, review.id, review.revision),
        lambda: board.reviews.take_chair(paul, review.id, review.revision),
    )
    [refused] = [each for each in results if isinstance(each, Conflict)]
    chair = board.reviews.get(review.id).chair
    assert chair in ("olga", "paul") and chair in refused.message


def test_who_lost_the_chair_meanwhile_decides_nothing(board: Board) -> None:
    review = board.start()
    item = board.items(review)[0]
    board.reviews.reveal(RITA, item.id)
    results = at_once(
        lambda: board.reviews.take_chair(OLGA, review.id, 99),
        lambda: board.reviews.decide(RITA, item.id, item.revision + 1, "corrected", FIX),
    )
    decided = board.item(item.id).state == "decided"
    assert decided != isinstance(results[1], NotAllowed)
    assert board.reviews.get(review.id).chair == "olga"


def test_a_vote_and_the_reveal_at_once_never_leave_a_vote_cast_after_seeing_the_others(board: Board) -> None:
    review = board.start()
    for item in board.items(review):
        results = at_once(
            lambda item=item: board.reviews.vote(MIA, item.id, 0), lambda item=item: board.reviews.reveal(RITA, item.id)
        )
        refused = isinstance(results[0], Conflict)
        assert len(board.rows(ReviewVote, item_id=item.id)) == (0 if refused else 1)


def test_many_tabs_coming_in_at_once_make_one_place(board: Board) -> None:
    review = board.start()
    results = at_once(*[lambda tab=tab: board.reviews.enter(NOAH, review.id, tab=str(tab)) for tab in range(6)])
    assert [each for each in results if isinstance(each, StudioError)] == []
    assert [person for person, _place in board.reviews.room(NOAH, review.id).present] == ["noah"]


def test_an_example_changed_by_another_way_in_the_same_moment_is_not_lost(board: Board) -> None:
    """Undo looks at the example as it is, also where the other change is being saved right now."""
    item = board.settle(board.start(), verdict="corrected", output=FIX)

    def correct() -> None:
        with board.database.write() as session:
            held = session.get(Example, item.example_id, with_for_update=True)
            assert held
            set_answer(held, "by hand", "people", verified=True)

    results = at_once(correct, lambda: board.reviews.undo(RITA, item.id, item.revision))
    example = board.row(Example, item.example_id)
    assert example.output == "by hand" and all(each is None or not isinstance(each, NotAllowed) for each in results)


def test_every_kind_of_agenda_can_be_made(board: Board) -> None:
    for kind, count in (("task", 3), ("disputes", 3), ("value", 4), ("topics", 2), ("feedback", 0), ("conflicts", 0)):
        found = board.reviews.preview(board.project.id, board.dataset.id, {"kind": kind, "task_id": board.task.id})
        assert (kind, len(found)) == (kind, count)

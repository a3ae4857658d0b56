"""Blind votes, and keys that arrive late, twice or out of order."""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta
from typing import Any

import pytest

from storage.tables import ReviewItem, ReviewPresence, ReviewSession, ReviewVote
from storage.types import now
from studio.access.actor import Actor
from studio.errors import Conflict, InvalidInput, NotAllowed
from studio.label.review.shapes import Line
from tests.unit.label.review.conftest import FIX, MIA, NOAH, OLGA, RITA, VERA, Board


def seated(board: Board, *people: Actor, **choices: Any) -> tuple[ReviewSession, ReviewItem]:
    """A session with these people in the room, and its first item."""
    review = board.start(**choices)
    for actor in people:
        board.reviews.enter(actor, review.id)
    return review, board.items(review)[0]


def line(board: Board, actor: Actor, item: ReviewItem) -> Line:
    room = board.reviews.room(actor, item.session_id)
    return next(each for each in room.lines if each.item_id == item.id)


def event(seq: int, item: ReviewItem, choice: int = 0, **more: Any) -> dict[str, Any]:
    return {"seq": seq, "item_id": item.id, "wish": "choose", "choice": choice, **more}


def test_nobody_sees_a_vote_before_the_reveal_whatever_they_ask(board: Board) -> None:
    review, item = seated(board, MIA, NOAH, RITA)
    secret = "answer nobody else may see yet"
    board.reviews.vote(MIA, item.id, wish="edit", output=secret, comment=secret)
    for actor in (NOAH, RITA, OLGA):
        room = board.reviews.room(actor, review.id)
        assert room.lines[0].voted == ["mia"] and room.lines[0].votes == []
        seen = [
            room,
            board.reviews.window(review.id),
            board.reviews.all(board.project.id),
            board.reviews.get(review.id),
        ]
        seen += [board.reviews.minutes(review.id), board.reviews.minutes_markdown(review.id)]
        seen += [board.reviews.tally(board.project.id), board.reviews.enter(actor, review.id)]
        seen += [board.reviews.preview(board.project.id, board.dataset.id, {"kind": "disputes"})]
        assert secret not in repr(
            [dataclasses.asdict(each) if dataclasses.is_dataclass(each) else each for each in seen]
        )
    mine = line(board, MIA, item).my_vote
    assert mine and mine.output == secret


def test_who_stands_by_an_answer_is_hidden_until_the_reveal(board: Board) -> None:
    review, item = seated(board, MIA)
    assert [choice["by"] for choice in board.reviews.window(review.id)[0].choices] == [[], []]
    board.reviews.reveal(RITA, item.id)
    shown = {choice["output"]: choice["by"] for choice in board.reviews.window(review.id)[0].choices}
    assert sorted(shown.values()) == [["noah"], ["the model", "mia"]]


def test_votes_reveal_when_everybody_in_the_room_has_voted(board: Board) -> None:
    _review, item = seated(board, MIA, NOAH)
    board.reviews.vote(MIA, item.id, 0)
    assert line(board, MIA, item).state == "voting"
    board.reviews.vote(NOAH, item.id, 1)
    shown = line(board, MIA, item)
    assert shown.state == "revealed" and [(each.person, each.choice) for each in shown.votes] == [
        ("mia", 0),
        ("noah", 1),
    ]


def test_who_left_the_room_is_not_waited_for(board: Board) -> None:
    review, item = seated(board, MIA, NOAH, OLGA)
    [gone] = board.rows(ReviewPresence, session_id=review.id, person="olga")
    board.change(gone, seen_at=now() - timedelta(seconds=16))
    board.reviews.vote(MIA, item.id, 0)
    board.reviews.vote(NOAH, item.id, 0)
    assert line(board, MIA, item).state == "revealed"
    assert [person for person, _place in board.reviews.room(MIA, review.id).present] == ["mia", "noah"]


def test_one_early_vote_reveals_nothing_to_those_expected_later(board: Board) -> None:
    _review, item = seated(board, MIA, people=("mia", "noah"))
    board.reviews.vote(MIA, item.id, 0)
    assert line(board, MIA, item).state == "voting"


def test_a_guest_is_not_waited_for_and_one_person_alone_sees_the_answers_at_once(board: Board) -> None:
    _review, item = seated(board, MIA, NOAH, OLGA, people=("mia", "noah"))
    board.reviews.vote(MIA, item.id, 0)
    board.reviews.vote(OLGA, item.id, 0)
    assert line(board, MIA, item).state == "voting"
    board.reviews.vote(NOAH, item.id, 0)
    assert line(board, MIA, item).state == "revealed"


def test_a_person_reviewing_alone_sees_each_item_at_once(board: Board) -> None:
    _review, item = seated(board, RITA)
    board.reviews.vote(RITA, item.id, 0)
    assert line(board, RITA, item).state == "revealed"


def test_a_vote_can_change_until_the_reveal_and_not_after(board: Board) -> None:
    _review, item = seated(board, MIA, NOAH)
    board.reviews.vote(MIA, item.id, 0)
    board.reviews.vote(MIA, item.id, 1)
    board.reviews.vote(NOAH, item.id, wish="discuss")
    [first, second] = line(board, MIA, item).votes
    assert (first.choice, second.wish) == (1, "discuss")
    board.reviews.vote(MIA, item.id, 1)  # the same once more is no change
    with pytest.raises(Conflict, match="on the table"):
        board.reviews.vote(MIA, item.id, 0)
    assert len(board.rows(ReviewVote)) == 2


def test_an_edit_that_says_the_same_as_an_offered_answer_is_a_vote_for_it(board: Board) -> None:
    _review, item = seated(board, MIA, NOAH)
    board.reviews.vote(MIA, item.id, wish="edit", output='{"category":"returns"}')
    mine = line(board, MIA, item).my_vote
    assert mine and (mine.wish, mine.choice) == ("choose", board.place(item, FIX))


@pytest.mark.parametrize(
    "said",
    [{"choice": 2}, {"choice": None}, {"wish": "edit", "output": " "}, {"wish": "shout"}, {"choice": -1}],
    ids=str,
)
def test_a_vote_for_nothing_on_offer_is_refused(board: Board, said: dict[str, Any]) -> None:
    _review, item = seated(board, MIA)
    with pytest.raises(InvalidInput):
        board.reviews.vote(MIA, item.id, **said)
    assert board.rows(ReviewVote) == []


def test_viewers_have_no_vote_and_see_no_room(board: Board) -> None:
    review, item = seated(board, MIA)
    for verb in (
        lambda: board.reviews.vote(VERA, item.id, 0),
        lambda: board.reviews.enter(VERA, review.id),
        lambda: board.reviews.room(VERA, review.id),
        lambda: board.reviews.apply_events(VERA, review.id, []),
        lambda: board.reviews.beat(VERA, review.id, 0),
    ):
        with pytest.raises(NotAllowed):
            verb()


def test_a_batch_is_carried_out_in_its_order_and_repeating_it_changes_nothing(board: Board) -> None:
    review, item = seated(board, MIA, NOAH)
    batch = [event(2, item, 0), event(1, item, 1), event(3, board.items(review)[1], 1, position=1)]
    assert board.reviews.apply_events(MIA, review.id, batch).acked == 3
    revision = board.reviews.get(review.id).revision
    assert board.reviews.apply_events(MIA, review.id, batch).acked == 3
    assert board.reviews.get(review.id).revision == revision
    mine = line(board, MIA, item).my_vote
    assert mine and mine.choice == 0
    place = board.reviews.enter(MIA, review.id)
    assert (place.position, place.acked) == (1, 3)


def test_an_old_batch_that_comes_late_does_not_undo_a_newer_vote(board: Board) -> None:
    review, item = seated(board, MIA, NOAH)
    board.reviews.apply_events(MIA, review.id, [event(1, item, 0), event(2, item, 1)])
    board.reviews.apply_events(MIA, review.id, [event(1, item, 0)])
    mine = line(board, MIA, item).my_vote
    assert mine and mine.choice == 1


def test_events_after_a_gap_wait_until_the_missing_ones_are_there(board: Board) -> None:
    review, item = seated(board, MIA, NOAH)
    second = board.items(review)[1]
    assert board.reviews.apply_events(MIA, review.id, [event(2, second)]).acked == 0
    assert board.rows(ReviewVote) == []
    assert board.reviews.apply_events(MIA, review.id, [event(1, item), event(2, second)]).acked == 2
    assert len(board.rows(ReviewVote)) == 2


def test_one_bad_event_is_reported_and_loses_none_of_the_others(board: Board) -> None:
    review, item = seated(board, MIA, NOAH)
    second = board.items(review)[1]
    bad: list[Any] = [
        event(2, item, 9),
        {"seq": 3, "item_id": "elsewhere", "choice": 0},
        {"seq": 4, "item_id": item.id, "wish": "edit", "output": None},
        {"seq": 5, "item_id": item.id, "choice": "1"},
        {"item_id": item.id, "choice": 0},
        "nonsense",
    ]
    done = board.reviews.apply_events(MIA, review.id, [event(1, item), *bad, event(6, second)])
    assert done.acked == 6 and [each.seq for each in done.problems] == [0, 0, 2, 3, 4, 5]
    assert {vote.item_id for vote in board.rows(ReviewVote)} == {item.id, second.id}


def test_two_tabs_of_one_person_lose_nothing(board: Board) -> None:
    review, item = seated(board, MIA, NOAH)
    second, third = board.items(review)[1:]
    assert board.reviews.enter(MIA, review.id, tab="a").acked == 0
    board.reviews.apply_events(MIA, review.id, [event(1, item)], tab="a")
    board.reviews.apply_events(MIA, review.id, [event(1, second)], tab="b")
    board.reviews.apply_events(MIA, review.id, [event(1, item), event(2, third)], tab="a")
    assert len(board.rows(ReviewVote)) == 3
    assert [board.reviews.enter(MIA, review.id, tab=tab).acked for tab in ("a", "b", "c")] == [2, 1, 0]


def test_events_for_a_closed_session_are_reported_so_that_they_are_not_sent_again(board: Board) -> None:
    review, item = seated(board, MIA)
    board.reviews.close(RITA, review.id)
    done = board.reviews.apply_events(MIA, review.id, [event(1, item)])
    assert done.acked == 1 and "closed" in done.problems[0].message and board.rows(ReviewVote) == []


@pytest.mark.parametrize("seed", range(5))
def test_however_batches_overlap_and_arrive_the_votes_are_those_of_the_last_keys(board: Board, seed: int) -> None:
    review, _item = seated(board, MIA, NOAH)
    items, chance = board.items(review), random.Random(seed)
    pressed = [event(seq, chance.choice(items), chance.randrange(2)) for seq in range(1, 41)]
    expected = {each["item_id"]: each["choice"] for each in pressed}
    acked = 0
    while acked < 40:
        start = chance.randrange(0, acked + 1)
        batch = pressed[start : chance.randrange(start, 41)]
        chance.shuffle(batch)
        acked = board.reviews.apply_events(MIA, review.id, batch).acked
    assert {vote.item_id: vote.choice for vote in board.rows(ReviewVote)} == expected


def test_nonsense_from_a_browser_is_stored_as_what_every_database_takes(board: Board) -> None:
    review, item = seated(board, MIA, NOAH)
    sent = event(1, item, wish="edit", output="a\x00b\ud800", comment="\x00", position=10**30)
    assert board.reviews.apply_events(MIA, review.id, [sent]).problems == []
    mine = line(board, MIA, item).my_vote
    assert mine and mine.output == "ab?" and board.reviews.enter(MIA, review.id).position == 10_000


def test_the_position_survives_leaving_and_coming_back(board: Board) -> None:
    review, _item = seated(board, MIA)
    board.reviews.beat(MIA, review.id, 2)
    assert board.reviews.room(NOAH, review.id).present == [("mia", 2)]
    assert board.reviews.enter(MIA, review.id).position == 2

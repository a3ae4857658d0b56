"""The order of answers to compare."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from studio.label.shuffle import as_candidates, as_shown, asked_people, item_and_person, platform_key, shown_order

NAMES = st.sampled_from([["a", "b"], ["a", "b", "c"]])
TEXT = st.text(min_size=1, max_size=20)


@given(TEXT, TEXT, NAMES)
def test_everybody_sees_every_answer_once_and_in_the_same_order_again(item: str, who: str, names: list[str]) -> None:
    order = shown_order(item, who, names)
    assert sorted(order.values()) == names and list(order) == ["A", "B", "C"][: len(names)]
    assert shown_order(item, who, names) == order


def test_each_answer_stands_in_each_place_equally_often() -> None:
    first = Counter(shown_order(f"item{at}", "mia", ["a", "b", "c"])["A"] for at in range(3000))
    assert all(900 < count < 1100 for count in first.values())
    differ = sum(
        shown_order(f"i{at}", "mia", ["a", "b"]) != shown_order(f"i{at}", "noah", ["a", "b"]) for at in range(999)
    )
    assert 420 < differ < 580


@given(TEXT, TEXT, st.lists(st.integers(1, 3), min_size=3, max_size=3))
def test_a_ranking_comes_back_as_it_was_meant_with_its_ties(item: str, who: str, places: list[int]) -> None:
    order = shown_order(item, who, ["a", "b", "c"])
    shown = [{"value": name, "rank": rank} for name, rank in zip("ABC", places, strict=True)]
    told = {each["value"]: each["rank"] for each in as_candidates(shown, order)}
    for one, first in zip("ABC", places, strict=True):
        for other, second in zip("ABC", places, strict=True):
            assert (first < second) == (told[order[one]] < told[order[other]])
    assert min(told.values()) == 1 and set(told.values()) == set(range(1, len(set(places)) + 1))
    assert as_candidates(as_shown(as_candidates(shown, order), order), order) == as_candidates(shown, order)


def test_the_place_of_an_empty_seat_is_left_out() -> None:
    shown = [{"value": "C", "rank": 1}, {"value": "A", "rank": 2}, {"value": "B", "rank": 3}]
    assert as_candidates(shown, {"A": "b", "B": "a"}) == [{"value": "b", "rank": 1}, {"value": "a", "rank": 2}]


def test_an_item_of_nobody_in_particular_is_given_to_as_many_as_must_answer() -> None:
    people = ["mia", "noah", "otto", "vera"]
    asked = [asked_people(f"item{at}", people, 2) for at in range(1000)]
    assert all(len(set(each)) == 2 for each in asked)
    shares = Counter(name for each in asked for name in each)
    assert all(430 < shares[name] < 570 for name in people)


@given(st.text("0123456789abcdef", min_size=1), st.text("abc.@_-~", min_size=1))
def test_a_platform_key_holds_item_and_person(item: str, who: str) -> None:
    assert item_and_person(platform_key(item, who)) == (item, who)
    assert item_and_person(item) == (item, "")

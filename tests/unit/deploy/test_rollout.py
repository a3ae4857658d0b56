"""The arithmetic of traffic splits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.tables import Release, Revision
from studio.deploy.rollout import checked_routes, previous_release, shifted
from studio.errors import Conflict, InvalidInput


def revision(number: int, state: str = "ready") -> Revision:
    return Revision(id=f"r{number}", deployment_id="d", model_id=f"m{number}", number=number, state=state)


def route(name: str, weight: float) -> dict[str, Any]:
    return {"model_id": f"m{name}", "revision_id": None if name == "teacher" else f"r{name}", "weight": weight}


def weights(routes: list[dict[str, Any]]) -> dict[str | None, float]:
    return {each["revision_id"]: each["weight"] for each in routes}


def test_a_first_share_is_taken_from_the_present_route() -> None:
    assert weights(shifted([route("teacher", 100)], revision(1), 20)) == {"r1": 20, None: 80}


def test_the_others_keep_their_proportions() -> None:
    before = [route("teacher", 60), route("1", 40)]
    assert weights(shifted(before, revision(2), 50)) == {"r2": 50, None: 30, "r1": 20}


def test_all_the_traffic_leaves_the_others_on_standby() -> None:
    assert weights(shifted([route("1", 20), route("teacher", 80)], revision(1), 100)) == {"r1": 100, None: 0}


def test_a_revision_shifted_to_nothing_is_taken_out() -> None:
    assert weights(shifted([route("1", 20), route("teacher", 80)], revision(1), 0)) == {None: 100}


def test_standbys_share_the_rest_when_nobody_else_had_traffic() -> None:
    assert weights(shifted([route("1", 100), route("teacher", 0)], revision(1), 30)) == {"r1": 30, None: 70}


def test_a_part_of_the_traffic_needs_somebody_for_the_rest() -> None:
    with pytest.raises(Conflict, match="Give this revision 100 %"):
        shifted([], revision(1), 20)
    assert weights(shifted([], revision(1), 100)) == {"r1": 100}


@pytest.mark.parametrize("percent", [-1, 101])
def test_a_share_is_between_none_and_all(percent: float) -> None:
    with pytest.raises(InvalidInput):
        shifted([route("teacher", 100)], revision(1), percent)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=6).filter(any), st.integers(0, 100))
def test_a_split_always_adds_up_to_a_hundred(parts: list[int], percent: int) -> None:
    before = [route(str(n + 2), 100 * part / sum(parts)) for n, part in enumerate(parts)]
    routes = shifted(before, revision(1), percent)
    assert sum(each["weight"] for each in routes) == pytest.approx(100)
    assert all(0 <= each["weight"] <= 100 for each in routes)


def test_only_a_ready_revision_gets_more_traffic() -> None:
    revisions = {"r1": revision(1, "failed")}
    with pytest.raises(Conflict, match="Revision 1 is failed"):
        checked_routes([route("1", 20), route("teacher", 80)], revisions, [route("teacher", 100)])


def test_a_revision_in_trouble_may_keep_or_lose_what_it_has() -> None:
    revisions = {"r1": revision(1, "restarting"), "r2": revision(2)}
    before = [route("1", 80), route("teacher", 20)]
    assert checked_routes([route("2", 50), route("1", 40), route("teacher", 10)], revisions, before)


@pytest.mark.parametrize("routes", [[], [route("teacher", 90)], [route("teacher", 120), route("1", -20)]])
def test_a_split_that_is_not_whole_is_refused(routes: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidInput):
        checked_routes(routes, {}, [])


def test_a_route_to_another_deployments_revision_is_refused() -> None:
    with pytest.raises(InvalidInput, match="another deployment"):
        checked_routes([route("9", 100)], {}, [])


def history(*undo_of: int | None) -> list[Release]:
    made = [
        Release(id=str(n), deployment_id="d", number=n, undo_of=None if undone is None else str(undone))
        for n, undone in enumerate(undo_of, start=1)
    ]
    return made[::-1]


def test_an_undo_goes_to_the_release_before() -> None:
    undone, restored = previous_release(history(None, None, None))
    assert (undone.number, restored.number) == (3, 2)


def test_undoing_twice_goes_two_back_and_not_forth_again() -> None:
    undone, restored = previous_release(history(None, None, None, 3))
    assert (undone.number, restored.number) == (2, 1)


def test_a_release_after_an_undo_is_undone_to_what_the_undo_had_restored() -> None:
    undone, restored = previous_release(history(None, None, 2, None))
    assert (undone.number, restored.number) == (4, 1)


@pytest.mark.parametrize("releases", [(), (None,), (None, None, 2)])
def test_there_is_nothing_before_the_first_release(releases: tuple[int | None, ...]) -> None:
    with pytest.raises(Conflict, match="no earlier"):
        previous_release(history(*releases))

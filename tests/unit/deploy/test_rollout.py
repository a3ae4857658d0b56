"""The arithmetic of traffic splits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.tables import Release, Revision
from studio.deploy.rollout import (
    arrival,
    checked_routes,
    in_effect,
    next_step,
    previous_release,
    shadowed,
    shifted,
    traffic_of,
    without,
)
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


def release(number: int, routes: list[dict[str, Any]], *, copies: str = "", undo_of: int | None = None) -> Release:
    shadows = [{"revision_id": copies, "percent": 20}] if copies else []
    undone = None if undo_of is None else str(undo_of)
    return Release(id=str(number), deployment_id="d", number=number, routes=routes, shadows=shadows, undo_of=undone)


SPLITS = st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any)
BASE, SOME, HALF = (
    [route("teacher", 100)],
    [route("1", 5), route("teacher", 95)],
    [route("1", 50), route("teacher", 50)],
)


@given(SPLITS, st.integers(1, 5))
def test_steps_only_ever_lead_up_and_end_with_everything(parts: list[int], number: int) -> None:
    routes = [route(str(n + 2), 100 * part / sum(parts)) for n, part in enumerate(parts)]
    ours, shadows, weight = revision(number), [], -1.0  # type: tuple[Revision, list[dict[str, Any]], float]
    for _step in range(6):
        step = next_step(routes, shadows, ours.id)
        if step is None:
            break
        if step.shadow:
            assert weight < 0 and not shadows
            shadows = shadowed(shadows, ours.id, step.percent)
            continue
        assert step.percent > max(weight, weights(routes).get(ours.id, 0))
        routes, weight = shifted(routes, ours, step.percent), step.percent
    assert weights(routes)[ours.id] == 100 and next_step(routes, shadows, ours.id) is None


@given(SPLITS, st.integers(1, 95))
def test_taking_a_revision_out_gives_its_calls_back_as_they_were(parts: list[int], percent: int) -> None:
    before = [route(str(n + 2), 100 * part / sum(parts)) for n, part in enumerate(parts)]
    after = shifted(before, revision(1), percent)
    usable = {each["revision_id"] for each in after}
    found = without([release(2, after), release(1, before)], revision(1), usable)
    assert found is not None and "r1" not in weights(found)
    assert weights(found) == pytest.approx(weights(before), abs=1)  # shares are kept to a hundredth of a percent


def test_with_nobody_to_share_the_newest_earlier_split_that_can_answer_comes_back() -> None:
    second = [route("1", 100), route("teacher", 0)]
    third = [route("2", 100), route("1", 0), route("teacher", 0)]
    releases = [release(3, third), release(2, second), release(1, BASE)]
    assert without(releases, revision(2), {"r1", "mteacher"}) == second
    assert without(releases, revision(2), {"mteacher"}) == BASE
    assert without(releases, revision(2), set()) is None


def test_with_no_earlier_split_the_standbys_take_over() -> None:
    only = [route("1", 100), route("teacher", 0)]
    assert weights(without([release(1, only)], revision(1), {"r1", "mteacher"}) or []) == {None: 100}


def test_a_revision_arrives_with_its_first_copies() -> None:
    releases = [release(4, HALF), release(3, SOME), release(2, BASE, copies="r1"), release(1, BASE)]
    found = arrival(releases, "r1")
    assert found is not None and found.number == 2 and arrival(releases, "r9") is None


def test_what_took_a_revision_out_takes_all_its_steps_back_with_it() -> None:
    taken = release(5, BASE, undo_of=2)
    releases = [taken, release(4, HALF), release(3, SOME), release(2, BASE, copies="r1"), release(1, BASE)]
    assert [kept.number for kept in in_effect(releases)] == [1]
    with pytest.raises(Conflict, match="no earlier"):
        previous_release(releases)


def test_what_goes_back_to_another_split_counts_as_a_release_of_its_own() -> None:
    releases = [release(3, [route("2", 100)], undo_of=2), release(2, [route("1", 100)]), release(1, BASE)]
    assert [kept.number for kept in in_effect(releases)] == [1, 3]


def test_a_shadow_that_could_not_come_back_does_not_keep_an_undo_from_going_further_back() -> None:
    gone_back = release(4, SOME, undo_of=3)
    releases = [gone_back, release(3, HALF), release(2, SOME, copies="r9"), release(1, BASE)]
    undone, restored = previous_release(releases)
    assert (undone.number, restored.number) == (2, 1)


@given(st.lists(st.sampled_from(["shift", "undo"]), max_size=20), st.randoms(use_true_random=False))
def test_undoing_leads_back_step_by_step_whatever_was_done(moves: list[str], random: Any) -> None:
    """A stack of splits, kept by hand, says where every undo has to lead."""
    releases, stack = [release(1, BASE)], [{"mteacher": 100.0}]
    for move in moves:
        number = releases[0].number + 1
        if move == "undo" and len(stack) > 1:
            undone, restored = previous_release(releases)
            stack.pop()
            releases.insert(0, release(number, restored.routes, undo_of=int(undone.id)))
        else:
            routes = shifted(releases[0].routes, revision(random.randint(1, 3)), random.choice([1, 5, 50, 100]))
            releases.insert(0, release(number, routes))
            stack.append(traffic_of(releases[0])[0])
        assert traffic_of(releases[0])[0] == stack[-1]

"""What the Deploy page says: splits, certificates, evidence, events, snippets, test prompts, two answers at once."""

from __future__ import annotations

import ast
import json
import shlex
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from storage.tables import Deployment, DeploymentEvent, Model, Release, Revision
from storage.types import now
from studio.deploy.overview import Overview, RevisionView, Share
from studio.deploy.shadows import ShadowSummary
from studio.deploy.traffic import Point, RouteStats
from studio.errors import Unavailable
from studio.ui.deploy.answering import undo_in_words
from studio.ui.deploy.certificate import golden_sentence
from studio.ui.deploy.evidence import evidence_lines, facts_in_words, facts_of, score_lines
from studio.ui.deploy.health import by_minute, figures
from studio.ui.deploy.history import event_line
from studio.ui.deploy.moving import after, is_movable
from studio.ui.deploy.naming import route_names, short_names, split_in_words
from studio.ui.deploy.playground import timing
from studio.ui.deploy.race import Side, race
from studio.ui.deploy.shadow_pairs import summary_cells
from studio.ui.deploy.smoke import Typed, prompt_of, wanted_in_words
from studio.ui.deploy.snippets import curl_snippet, hub_snippet, openai_snippet

HOSTILE = "![x](http://evil/x.png)"
LONG = "a-model-with-a-name-that-no-legend-of-a-chart-has-room-for"
ROWS = [
    {"prompt": "one", "diverges_at": None, "matches_tuned": True},
    {"prompt": "two", "diverges_at": 6, "matches_tuned": False},
]


def a_view(number: int, state: str = "ready", weight: float = 0.0, **more: Any) -> RevisionView:
    model = Model(id=f"model{number}", project_id="p", name=f"tuned-{number}", kind="tuned")
    row = Revision(
        id=f"rev{number}", deployment_id="d", model_id=model.id, number=number, state=state, certificate=[], **more
    )
    return RevisionView(row, model, weight)


def a_release(number: int, *routes: tuple[str, str | None, float], **more: Any) -> Release:
    rows = [{"model_id": model, "revision_id": revision, "weight": weight} for model, revision, weight in routes]
    return Release(id=f"release{number}", deployment_id="d", number=number, routes=rows, **more)


@pytest.fixture
def found() -> Overview:
    """Revision 2 has 20 %, a provider's model the rest; revision 1 is stopped."""
    views = [a_view(2, weight=20), a_view(1, "stopped")]
    return Overview(
        deployment=Deployment(id="d", project_id="p", alias="triage"),
        release=a_release(3, ("teacher", None, 80), ("model2", "rev2", 20)),
        shares=[Share(LONG, 80, None, True), Share("tuned-2 (revision 2)", 20, views[0].revision, True)],
        revisions=views,
        events=[],
        undoable=a_release(2, ("model1", "rev1", 100), ("teacher", None, 0)),
    )


def test_a_split_is_said_heaviest_first_with_standbys(found: Overview) -> None:
    assert found.undoable
    assert split_in_words(found.undoable.routes, route_names(found)) == f"tuned-1 (revision 1) 100 %, {LONG} standby"


def test_short_names_fit_a_legend(found: Overview) -> None:
    names = short_names(found)
    assert names["rev2"] == "revision 2" and len(names["teacher"]) <= 28 and names["teacher"].endswith("…")


def test_undo_says_what_it_goes_back_to_and_whether_at_once(found: Overview) -> None:
    assert undo_in_words(found).startswith("Goes back to release 2, once revision 1 runs again: tuned-1 (revision 1)")


def test_moving_shows_the_split_it_would_make_or_why_there_is_none(found: Overview) -> None:
    view = found.revisions[0]
    routes, why = after(found, view, 50)
    assert [route["weight"] for route in routes] == [50, 50] and why == ""
    alone = Overview(found.deployment, None, [], found.revisions, [], None)
    assert after(alone, view, 50) == ([], "No other route can take the rest of the traffic. Give this revision 100 %.")
    assert is_movable(view) and not is_movable(found.revisions[1])


def test_the_certificate_reads_as_one_sentence() -> None:
    first = {"prompt": "two", "at": 6, "cause": "tie"}
    told = golden_sentence({"prompts": 2, "matches": 1, "agreement": 0.995, "first_divergence": first, "rows": ROWS})
    assert told == (
        "1 of 2 golden answers are the tuned model's; the first difference is at token 7 of prompt 2, "
        "where rounding may choose either; 99.5% of their tokens agree."
    )


def test_evidence_tells_red_gates_and_overrides_apart() -> None:
    view = a_view(1)
    view.revision.certificate = [
        {"gate": "health", "passed": True, "evidence": {}},
        {"gate": "golden", "passed": False, "evidence": {"prompts": 2, "matches": 0, "why": "It is the base."}},
        {"gate": "override", "passed": True, "evidence": {"by": "anna", "reason": "a test"}},
    ]
    lines = evidence_lines(view)
    assert [line.color for line in lines] == ["orange", "red", "orange"]
    assert "Overridden by anna: a test" in lines[-1].text


def test_a_release_keeps_what_was_known_of_a_revision(found: Overview) -> None:
    score = {"mean": 0.92, "low": 0.88, "high": 0.95, "n": 200}
    about = {"digest": "abcdef0123456789", "dataset": "tickets", "dataset_version": 2, "scores": {"exact_match": score}}
    old = a_release(1, evidence={"revisions": {"rev2": about}})
    known = facts_of(Overview(found.deployment, None, [], [], [], None, releases=[a_release(2), old]), "rev2")
    assert facts_in_words(known) == {"Weights": "abcdef012345", "Learned from": "tickets version 2"}
    assert score_lines(known) == ["exact match: 92.0% (88.0% to 95.0%, n=200)"]
    fields = {"category": {"mean": 0.5, "low": None, "high": None}}
    told = score_lines({"scores": {"latency_ms": {"p50": 340, "p95": 1200}, "fields": fields, "name": "x", "n": 5}})
    assert told == ["category: 50.0% (n=5)", "latency: p50 340 ms, p95 1.2 s"]


def test_an_event_is_words_and_never_markup() -> None:
    event = DeploymentEvent(
        deployment_id="d", revision_id="rev2", what="crashed", who="worker", detail={"why": HOSTILE}
    )
    line = event_line(event, {"rev2": "revision 2"})
    assert line.startswith(":material/error: Revision 2 · Its server crashed") and "](http" not in line


def test_figures_put_the_busiest_route_first() -> None:
    table = figures({"a": RouteStats(calls=2), "b": RouteStats(calls=40, errors=2, p50_ms=120.0)}, {"b": "revision 2"})
    assert list(table["Route"]) == ["revision 2", "an earlier route"]
    assert list(table["Errors"]) == ["5.0% (2)", "0.0% (0)"] and list(table["p50"]) == ["120 ms", "–"]


def test_a_chart_of_a_day_shows_calls_per_minute_and_the_worst_latency_of_a_quarter() -> None:
    points = [Point(0, "a", 30, 0, 1.0, 100.0), Point(60, "a", 60, 3, 1.0, 300.0), Point(900, "b", 15, 0, 1.0, None)]
    calls = by_minute(points, {"a": "one", "b": "two"}, "calls", 900)
    assert list(calls["one"]) == [6, 0] and list(calls["two"]) == [0, 1]
    assert by_minute(points, {"a": "one"}, "p95_ms", 900)["one"].max() == 300


def test_snippets_can_be_run_as_they_are() -> None:
    alias = 'it\'s "mine"'
    for snippet in (openai_snippet("http://x/v1", alias), hub_snippet("http://x/v1", alias)):
        strings = [node.value for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.Constant)]
        assert alias in strings and "http://x/v1" in strings
    command = shlex.split(curl_snippet("http://x/v1", alias))
    assert command[1] == "http://x/v1/chat/completions" and json.loads(command[-1])["model"] == alias


def test_what_is_wrong_with_a_test_prompt_is_said_at_its_field() -> None:
    _given, problems = prompt_of(Typed("", "", " ", regex="(", kind="schema", schema="[1]"))
    assert problems["name"] == "Give it a name." and problems["messages"] == "Write what the user says."
    assert "regular expression" in problems["regex"] and problems["json"] == "A schema is a JSON object."
    _given, problems = prompt_of(Typed("a", "", "hi", kind="schema", schema='{"type": 7}'))
    assert "schema" in problems["json"]


def test_a_good_test_prompt_is_what_the_gate_reads() -> None:
    given, problems = prompt_of(Typed("refund", "Triage.", "Twice!", "billing", kind="any", most=2000.0))
    assert not problems and given["json"] is True and [each["role"] for each in given["messages"]] == ["system", "user"]
    assert wanted_in_words(given) == "contains “billing” · is JSON · within 2.0 s"
    assert wanted_in_words({"name": "x"}) == "any answer that is not empty"


def test_both_sides_answer_at_once_and_one_may_fail() -> None:
    halfway = threading.Event()

    def slow() -> Iterator[str]:
        yield "one "
        assert halfway.wait(60)
        yield "two"

    def broken() -> Iterator[str]:
        yield "half"
        halfway.set()
        raise Unavailable("The server went away.")

    *_before, last = race({"left": slow, "right": broken})
    assert last["left"].text == "one two" and last["left"].error == ""
    assert (last["right"].text, last["right"].error) == ("half", "The server went away.")
    assert all(side.total_s is not None for side in last.values())


def test_a_fault_of_ours_is_not_told_as_the_servers() -> None:
    def faulty() -> Iterator[str]:
        yield str([][0])

    with pytest.raises(IndexError):
        list(race({"left": faulty}))


def test_times_are_told_as_far_as_they_are_known() -> None:
    assert timing(Side()) == "Waiting for the first token"
    assert timing(Side(first_s=0.12)) == "First token 120 ms"
    assert timing(Side(first_s=0.12, total_s=1.2)) == "First token 120 ms · whole answer 1.2 s"
    assert timing(Side(total_s=1.0, error="no")) == "No answer"


def test_a_shadow_in_figures_has_its_interval() -> None:
    told = ShadowSummary(n=10, errors=2, same=6, same_low=0.41, same_high=0.93, live_ms=400.0, shadow_ms=None)
    cells = {label: (value, text) for label, value, text in summary_cells(told)}
    assert cells["Same answer"] == ("75.0%", "95 % interval 41.0% to 93.0%, n=8")
    assert cells["Median, shadow"][0] == "–" and "JSON, live → shadow" not in cells


def test_a_revision_of_long_ago_is_still_shown() -> None:
    event = DeploymentEvent(deployment_id="d", what="released", who="anna", at=now() - timedelta(days=3))
    assert "3 d ago" in event_line(event, {})

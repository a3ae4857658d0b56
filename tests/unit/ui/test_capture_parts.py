"""The Capture page's own thinking: addresses, word changes, conversations, facts, downloads."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from starlette.applications import Starlette
from starlette.testclient import TestClient

from storage.tables import LogEntry, Project
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.capture.entries import entry_values
from studio.capture.explorer.answers import SORTS, Point, Sort
from studio.capture.filters import LogFilter
from studio.capture.intake import insert_entries
from studio.capture.record import Record
from studio.ui.capture.address import CHOICES, NUMBERS, changed, criteria_of, query_of, sort_of, toggled
from studio.ui.capture.chips import chips_of
from studio.ui.capture.conversation import conversation
from studio.ui.capture.differing import shortened, word_changes
from studio.ui.capture.facts import facts_of, tokens_per_second
from studio.ui.capture.questions import added_up
from studio.ui.downloads import Downloads
from studio.ui.gate import COOKIE
from tests.unit.ui.conftest import PASSWORD

WORDS = some.text(min_size=1, max_size=12)
LISTS = some.lists(WORDS, max_size=3, unique=True).map(lambda found: tuple(sorted(found)))
ENDS = some.one_of(some.none(), some.integers(-10, 10_000).map(float))
RANGES = some.one_of(some.none(), some.tuples(ENDS, ENDS).filter(lambda ends: ends != (None, None)))
MOMENTS = some.one_of(some.none(), some.integers(0, 2_000_000_000).map(lambda at: datetime.fromtimestamp(at, UTC)))
TAGS = some.lists(some.tuples(WORDS.filter(lambda text: "=" not in text), WORDS), max_size=3).map(tuple)
FILTERS = some.builds(
    LogFilter,
    some.just("p"),
    text=some.one_of(some.just(""), WORDS),
    tags=TAGS,
    since=MOMENTS,
    until=MOMENTS,
    source=some.sampled_from(["", "import"]),
    **dict.fromkeys(CHOICES.values(), LISTS),
    **dict.fromkeys(NUMBERS.values(), RANGES),
)


@given(FILTERS, some.builds(Sort, some.sampled_from(SORTS), some.booleans()))
def test_every_filter_and_order_survives_its_address(criteria: LogFilter, sort: Sort) -> None:
    query = query_of(criteria, sort)
    assert criteria_of("p", query) == criteria
    assert sort_of(query) == sort


@given(some.dictionaries(some.sampled_from(["latency", "from", "to", "range", "sort", "tag", "q"]), some.lists(WORDS)))
def test_an_address_with_nonsense_in_it_still_means_something(query: dict[str, list[str]]) -> None:
    assert LogFilter.from_dict(criteria_of("p", query).to_dict()) == criteria_of("p", query)
    assert sort_of(query).by in SORTS


def test_a_change_of_the_filter_leads_back_to_the_start_of_the_list() -> None:
    here = {"after": ["x"], "p": ["3"], "status": ["ok"], "project": ["support"]}
    assert changed(here, {"status": []}) == {"project": ["support"]}


def test_a_facet_value_isadded_up_and_taken_away_again() -> None:
    once = toggled({}, "tag:feature", "a=b")
    assert once == {"tag": ["feature=a=b"]} and toggled(once, "tag:feature", "a=b") == {}
    assert toggled({"source": ["import"]}, "source", "gateway") == {"source": ["gateway"]}


def test_chips_say_what_is_on_in_words() -> None:
    query = {"rating": ["down"], "template": ["t1"], "latency": ["500.."], "cost": ["..0.5"], "tag": ["env=prod"]}
    said = [(chip["name"], chip["text"]) for chip in chips_of(query, {("template", "t1"): "Triage"})]
    assert said == [
        ("Feedback", "Thumbs down"),
        ("Prompt template", "Triage"),
        ("env", "prod"),
        ("Latency", "≥ 500 ms"),
        ("Cost", "≤ $0.50"),
    ]


@given(some.text(max_size=60), some.text(max_size=60))
def test_the_words_that_stayed_and_came_are_the_text_now(before: str, after: str) -> None:
    pieces = word_changes(before, after)
    assert "".join(text for kind, text in pieces if kind != "gone") == after
    assert "".join(text for kind, text in pieces if kind != "new") == before


def test_a_change_is_told_word_by_word_and_long_stretches_that_stayed_are_cut() -> None:
    constant = "You triage support tickets with great care. " * 40
    pieces = word_changes(f"{constant}Over 200 euros ask.", f"{constant}Over 300 euros ask.")
    assert [(kind, text) for kind, text in pieces if kind != "same"] == [("gone", "200"), ("new", "300")]
    assert len(shortened(pieces)[0][1]) < 400 and "as before" in shortened(pieces)[0][1]


def test_texts_that_changed_wholly_and_are_huge_are_compared_at_once() -> None:
    before, after = "a " * 20_000, "b " * 20_000
    assert [kind for kind, _text in word_changes(before, after)] == ["gone", "new", "same"]


def entry(messages: list[dict[str, Any]], reply: str = "Yes", **more: Any) -> LogEntry:
    answer = {"role": "assistant", "content": reply}
    return LogEntry(project_id="p", messages=messages, reply=answer, reply_text=reply, **more)


SYSTEM = {"role": "system", "content": "You triage support tickets. Anything over 200 euros needs a human."}


def test_what_the_call_before_said_is_old_an_edit_is_shown_word_by_word_and_the_rest_is_new() -> None:
    before = entry([SYSTEM, {"role": "user", "content": "Hello"}])
    edited = {**SYSTEM, "content": SYSTEM["content"].replace("200", "300")}
    again = [edited, {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Yes"}]
    shown = conversation(entry([*again, {"role": "user", "content": "Bye"}], "Bye"), before)
    assert [message["state"] for message in shown] == ["changed", "old", "old", "new", "answer"]
    assert ("new", "300") in shown[0]["pieces"]


def test_pictures_are_named_and_never_loaded() -> None:
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "https://evil/x.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 8192}},
    ]
    [message, _answer] = conversation(entry([{"role": "user", "content": parts}]))
    assert message["blocks"] == [
        {"kind": "text", "text": "Look"},
        {"kind": "note", "text": "Picture at https://evil/x.png (not loaded)"},
        {"kind": "note", "text": "Picture, 6 kB (not shown)"},
    ]


@pytest.mark.parametrize(
    "content", [None, [], [None], [{}], [{"type": "image_url"}], {"a": 1}, 7, "", [{"text": None}]]
)
def test_any_shape_of_content_is_drawn(content: Any) -> None:
    odd = {"role": "user", "content": content, "tool_calls": [None, {}, {"function": None}], "function_call": {}}
    assert len(conversation(entry([odd]), entry([odd], "No"))) == 2


def test_a_correction_stands_below_the_answer_word_by_word() -> None:
    [_system, _answer, corrected] = conversation(entry([SYSTEM], "It costs 200 euros", correction="It costs 300 euros"))
    assert corrected["state"] == "corrected" and ("new", "300") in corrected["pieces"]


def test_without_an_index_the_figures_are_sums_without_percentiles() -> None:
    day = [Point(datetime(2026, 1, day, tzinfo=UTC), 2, 1, 0.5, 3, 4, 100.0, 200.0) for day in (1, 2)]
    assert added_up(day) == Point(day[0].at, 4, 2, 1.0, 6, 8) and added_up([]) is None


def test_every_choice_is_an_answer() -> None:
    choices = [{"message": {"role": "assistant", "content": text}} for text in ("A", "B")]
    shown = conversation(entry([SYSTEM], "A", choices=choices))
    assert [message["name"] for message in shown[1:]] == ["answer 1 of 2", "answer 2 of 2"]


def test_figures_tell_speed_and_mark_estimates() -> None:
    call = entry([SYSTEM], latency_ms=1100, first_token_ms=100, completion_tokens=50, tokens_estimated=True)
    assert tokens_per_second(call) == 50
    assert {"First token": "100 ms", "Speed": "50 tok/s", "Answer": "~50 tok"}.items() <= {
        fact["label"]: fact["value"] for fact in facts_of(call)
    }.items()


@pytest.fixture
def web(studio: Studio) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=Downloads(studio).routes())) as client:
        yield client


@pytest.fixture
def sold(studio: Studio) -> Project:
    project = studio.projects.create(Actor.operator(), "Café 1/2")
    request = {"model": "m", "messages": [{"role": "user", "content": "=cmd()|x"}]}
    reply = {"choices": [{"message": {"role": "assistant", "content": "No"}}]}
    rows = [
        entry_values(
            Record(
                {"uid": f"u{n}", "at": time.time(), "project_id": project.id, "status": "error" if n == 3 else "ok"},
                json.dumps(request).encode(),
                json.dumps(reply).encode(),
            )
        )
        for n in range(5)
    ]
    with studio.database.write() as session:
        insert_entries(session, rows)
    return project


def come_in(studio: Studio, web: TestClient, role: Role) -> None:
    studio.people.create(Actor.operator(), f"{role}-reader", PASSWORD, role)
    web.cookies.set(COOKIE, str(studio.people.sign_in(f"{role}-reader", PASSWORD)))


def test_what_the_filters_show_is_downloaded_as_a_file(studio: Studio, web: TestClient, sold: Project) -> None:
    come_in(studio, web, Role.VIEWER)
    query = {"project_id": sold.id, "format": "csv", "status": "ok", "range": "All"}
    answer = web.get("/export/calls", params=query)
    lines = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(lines) == 4 and {line["status"] for line in lines} == {"ok"}
    assert not any(value.startswith("=") for line in lines for value in line.values())
    assert answer.headers["content-disposition"] == 'attachment; filename="Caf-1-2-calls.csv"'
    whole = web.get("/export/calls", params={"project_id": sold.id, "format": "jsonl"}).text.splitlines()
    assert len(whole) == 5 and all(json.loads(line) for line in whole)
    assert web.get("/export/calls", params={"project_id": sold.id, "format": "parquet"}).content[:4] == b"PAR1"


@pytest.mark.parametrize(
    ("role", "query", "status"),
    [
        (None, {}, 401),
        (Role.LABELER, {}, 403),
        (Role.VIEWER, {"project_id": "gone"}, 404),
        (Role.VIEWER, {"format": "exe"}, 400),
        (Role.VIEWER, {"latency": "x", "from": "y", "status": "' OR 1=1"}, 200),
    ],
)
def test_exports_are_for_readers_of_an_existing_project(
    studio: Studio, web: TestClient, sold: Project, role: Role | None, query: dict[str, str], status: int
) -> None:
    if role:
        come_in(studio, web, role)
    answer = web.get("/export/calls", params={"project_id": sold.id, "format": "jsonl", **query})
    assert answer.status_code == status and (status == 200 or answer.text.strip())

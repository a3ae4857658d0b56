"""An Argilla that is not ours: nothing but its own API, with an owner's key."""

from __future__ import annotations

from typing import Any

import pytest

from storage.types import new_id
from studio.label import argilla_people as people
from studio.label.argilla_backend import ArgillaBackend, test_connection
from studio.label.backend import Item, Question, QuestionKind, TaskSpec, Teammate
from tests.fakes.annotators import person, sample_items
from tests.fakes.argilla_process import ArgillaProcess

pytestmark = [pytest.mark.argilla, pytest.mark.slow]
QUESTIONS = (
    Question("order", "Which is better?", QuestionKind.RANKING, ("x", "y")),
    Question("parts", "Which parts?", QuestionKind.SPAN, ("PII",), required=False),
)
TEXT = "👍 call <555>"
TIE: list[dict[str, Any]] = [{"value": "x", "rank": 1}, {"value": "y", "rank": 1}]


@pytest.fixture
def external(argilla: ArgillaProcess) -> ArgillaBackend:
    """The same server, as if it were somebody else's."""
    return ArgillaBackend(argilla.url, argilla.backend.api_key)


def test_answers_come_by_the_api_alone_also_after_a_person_is_deleted(
    external: ArgillaBackend, argilla: ArgillaProcess
) -> None:
    workspace = people.workspace_id(external.rest, "elsewhere")
    gone = f"gone-{new_id()}".lower()
    for name in ("vera", gone):
        people.admit(external.rest, Teammate(name), workspace)
    item = Item("a", [{"role": "user", "content": "hi"}], TEXT)
    published = external.publish(TaskSpec(f"x-{new_id()}", "elsewhere", "", QUESTIONS, 2), [item], lambda _n: None)
    answer = {"values": {"order": {"value": TIE}, "parts": {"value": [{"start": 8, "end": 13, "label": "PII"}]}}}
    for name in ("vera", gone):
        sent = {**answer, "status": "submitted"}
        person(argilla, name).send("POST", f"/records/{published.records['a']}/responses", sent)
    assert {each.annotator for each in external.answers(published.ref)} == {"vera", gone}

    [user] = [each for each in external.rest.get("/users")["items"] if each["username"] == gone]
    external.rest.send("DELETE", f"/users/{user['id']}")
    for backend in (external, argilla.backend):
        [left] = backend.answers(published.ref)
        assert left.annotator == "vera" and left.values["order"] == TIE
        [marked] = left.values["parts"]
        assert TEXT[marked["start"] : marked["end"]] == "<555>"


def test_a_publication_goes_on_where_it_stopped_and_the_link_opens_ones_own_queue(external: ArgillaBackend) -> None:
    task = TaskSpec(f"x-{new_id()}", "elsewhere", "", QUESTIONS[:1], 1)
    first = external.publish(task, sample_items(30, rich=True), lambda _n: None)
    seen: list[int] = []
    again = external.publish(task, sample_items(50, rich=True), seen.append)
    assert seen == [50] and len(set(again.records.values())) == 50
    assert {key: again.records[key] for key in first.records} == first.records
    link = external.enter_url(Teammate("p.0"), "elsewhere", first.ref)
    assert link.endswith("&metadata=asked_of.p_0.everybody") and "ticket" not in link


def test_the_test_button_knows_an_owner_from_others(argilla: ArgillaProcess) -> None:
    backend = argilla.backend
    people.admit(backend.rest, Teammate("vera"), people.workspace_id(backend.rest, "elsewhere"))
    [vera] = [each for each in backend.rest.get("/users")["items"] if each["username"] == "vera"]
    assert test_connection(argilla.url, backend.api_key).ok
    assert "vera (annotator)" in test_connection(argilla.url, vera["api_key"]).text
    assert "does not know this API key" in test_connection(argilla.url, "wrong").text

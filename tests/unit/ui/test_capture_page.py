"""The Capture page on real calls: what it shows, filters, opens, and lets people say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import Project
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.capture.entries import entry_values
from studio.capture.filters import LogFilter
from studio.capture.intake import insert_entries
from studio.capture.record import Record
from tests.unit.ui.conftest import Browser, texts

Open = Callable[[Role], Browser]
HOSTILE = "<img src=http://evil/x> ![x](http://evil/y) **bold** $x$ :smile: </script>"


@pytest.fixture
def calls(studio: Studio) -> Project:
    project = studio.projects.create(Actor.operator(), "support")
    rows = [call(project, number) for number in range(70)]
    with studio.database.write() as session:
        insert_entries(session, rows)
    return project


def call(project: Project, number: int) -> dict[str, object]:
    status = "error" if number == 3 else "ok"
    meta = {"uid": f"u{number}", "at": time.time() - number, "project_id": project.id, "status": status}
    request = {"model": "triage", "messages": [{"role": "user", "content": f"Ticket {number} {HOSTILE}"}]}
    tool = {"function": {"name": "look_up", "arguments": '{"id": 7}'}}
    reply = {"choices": [{"message": {"role": "assistant", "content": '{"a": 1}', "tool_calls": [tool]}}]}
    tags = {"feature": "refund*s*"}
    return entry_values(
        Record({**meta, "error": "busy", "tags": tags}, json.dumps(request).encode(), json.dumps(reply).encode())
    )


def drawn(app: AppTest, key: str) -> dict[str, Any]:
    """What a component of the page was given, as it goes to the browser."""
    protos = [each.proto for each in app.get("bidi_component")]
    [proto] = [each for each in protos if each.id.endswith(f"-{key}")]
    data: dict[str, Any] = json.loads(proto.json)
    return data


def address(app: AppTest) -> dict[str, list[str]]:
    found = {name: app.query_params[name] for name in app.query_params}
    return {name: [values] if isinstance(values, str) else list(values) for name, values in found.items()}


def prompts(app: AppTest) -> list[str]:
    return [row["prompt"] for row in drawn(app, "calls")["rows"]]


def test_before_the_first_call_it_shows_how_to_connect(browser_of: Open, studio: Studio) -> None:
    studio.projects.create(Actor.operator(), "support")
    app = browser_of(Role.EDITOR).open("capture")
    assert any("base_url" in block.value for block in app.code)
    assert {"Import a file", "Load the sample project", "Create API key"} <= {found.label for found in app.button}
    app.button_group(key="source_first").set_value("anthropic").run()
    assert any("from anthropic import" in block.value for block in app.code)
    app.text_input(key="capture_key_name").set_value("checkout").run()
    app.button(key="capture_new_key").click().run()
    assert any(block.value.startswith("wk-") for block in app.code)


def test_calls_are_listed_a_page_at_a_time(browser_of: Open, calls: Project) -> None:
    browser = browser_of(Role.VIEWER)
    listed = drawn(browser.open("capture"), "calls")
    assert len(listed["rows"]) == 50 and listed["count"] == {"n": 70, "exact": True, "text": "70"}
    assert listed["page"] == {"number": 1, "back": False, "next": True}
    cursor = browser.studio.explorer.page(LogFilter(calls.id)).next
    following = drawn(browser.open("capture", after=str(cursor), p="2", range="All"), "calls")
    assert len(following["rows"]) == 20 and following["page"] == {"number": 2, "back": True, "next": False}


def test_a_page_that_does_not_exist_leads_to_the_first(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.VIEWER).open("capture", after="~nonsense", p="9")
    assert len(prompts(app)) == 50 and not app.exception and not app.error


def test_the_address_says_what_is_shown(browser_of: Open, calls: Project) -> None:
    browser = browser_of(Role.VIEWER)
    app = browser.open("capture", status="error")
    assert [row["status"] for row in drawn(app, "calls")["rows"]] == ["error"]
    [status] = [facet for facet in drawn(app, "calls")["facets"] if facet["name"] == "status"]
    assert [(each["value"], each["calls"], each["on"]) for each in status["values"]] == [
        ("ok", 69, False),
        ("error", 1, True),
    ]
    assert drawn(app, "chips")["chips"] == [
        {"parameter": "status", "value": "error", "name": "Status", "text": "error"}
    ]
    assert prompts(browser.open("capture", q="ticket 42"))[0].startswith("Ticket 42")
    nothing = drawn(browser.open("capture", q="nothing like this"), "calls")
    assert nothing["rows"] == [] and nothing["narrowed"] and nothing["count"]["n"] == 0


def test_what_somebody_types_goes_into_the_address_and_back_to_the_first_page(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.VIEWER).open("capture", after="x", p="2")
    app.text_input(key="q").set_value("ticket 42").run()
    assert address(app) == {"q": ["ticket 42"]} and prompts(app)[0].startswith("Ticket 42")
    app.button_group(key="range").set_value("1h").run()
    assert address(app)["range"] == ["1h"] and prompts(app)


def test_filters_work_in_a_project_that_is_not_the_first_one(browser_of: Open, studio: Studio) -> None:
    studio.projects.create(Actor.operator(), "older")
    project = studio.projects.create(Actor.operator(), "support")
    with studio.database.write() as session:
        insert_entries(session, [call(project, number) for number in range(5)])
    app = browser_of(Role.VIEWER).open("capture", project="support", status="error")
    app.text_input(key="q").set_value("ticket 3").run()
    assert not app.exception and prompts(app)[0].startswith("Ticket 3")
    assert address(app) == {"project": ["support"], "status": ["error"], "q": ["ticket 3"]}
    app.text_input(key="q").set_value("").run()
    assert not app.exception and address(app) == {"project": ["support"], "status": ["error"]}


def test_filters_of_one_project_do_not_follow_into_another(browser_of: Open, calls: Project, studio: Studio) -> None:
    other = studio.projects.create(Actor.operator(), "other")
    with studio.database.write() as session:
        insert_entries(session, [{**call(other, number), "uid": f"o{number}"} for number in range(3)])
    app = browser_of(Role.VIEWER).open("capture", status="error", call="u3", q="ticket 3")
    assert len(prompts(app)) == 1
    app.sidebar.selectbox(key="project").set_value("other").run()
    assert not app.exception and len(prompts(app)) == 3 and not address(app)
    app.sidebar.selectbox(key="project").set_value("support").run()
    assert len(prompts(app)) == 1 and address(app) == {"q": ["ticket 3"], "status": ["error"]}


def test_a_call_opens_from_its_address(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.EDITOR).open("capture", call="u5")
    shown = drawn(app, "open_call")
    [asked, answered] = shown["messages"]
    assert asked["blocks"] == [{"kind": "text", "text": f"Ticket 5 {HOSTILE}"}]
    assert answered["blocks"][1] == {"kind": "call", "name": "look_up", "text": '{\n  "id": 7\n}'}
    assert shown["tags"] == [["feature", "refund*s*"]]
    assert {"Latency", "Prompt", "Cost"} <= {fact["label"] for fact in shown["facts"]}


@pytest.mark.parametrize("panel", ["talk", "raw", "related", "facts"])
def test_captured_text_is_never_markdown(browser_of: Open, calls: Project, panel: str) -> None:
    app = browser_of(Role.EDITOR).open("capture", call="u5", panel=panel)
    assert not app.exception and not app.error
    assert not [block for block in (*app.markdown, *app.caption) if "evil" in block.value or "<img" in block.value]


def test_a_thumb_and_a_correction_reach_the_call(browser_of: Open, calls: Project, studio: Studio) -> None:
    app = browser_of(Role.EDITOR).open("capture", call="u5")
    app.button(key="rate_0").click().run()
    entry = studio.logs.entry(calls.id, "u5")
    [given] = studio.logs.feedback_of(entry)
    assert entry.rating == "down" and (given.given_by, given.source) == ("editor-person", "studio")


def test_a_viewer_reads_but_does_not_rate_select_or_add(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.VIEWER).open("capture", call="u5")
    assert not [found for found in app.button if found.key in ("rate_0", "rate_1")]
    assert app.button(key="primary").disabled and app.button(key="import").disabled
    assert drawn(app, "calls")["may"] is False


def test_an_unknown_call_in_the_address_is_told(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.VIEWER).open("capture", call="gone")
    assert "not in the project" in app.error[0].value and not app.exception


def test_a_view_is_saved_opened_renamed_and_deleted(browser_of: Open, calls: Project, studio: Studio) -> None:
    browser = browser_of(Role.EDITOR)
    app = browser.open("capture", status="error", range="7d")
    field = next(found for found in app.text_input if found.label == "Save what is shown as")
    field.set_value("Failures")
    next(found for found in app.button if found.label == "Save view").click().run()
    [view] = studio.views.all(calls.id)
    assert view.name == "Failures"
    app = browser.open("capture")
    app.button(key=f"view_{view.id}").click().run()
    assert address(app) == {"status": ["error"], "range": ["7d"]} and len(prompts(app)) == 1
    app.text_input(key=f"view_name_{view.id}").set_value("Broken calls")
    next(found for found in app.button if found.label == "Rename").click().run()
    assert [each.name for each in studio.views.all(calls.id)] == ["Broken calls"]
    next(found for found in app.button if found.label == "Delete").click().run()
    assert studio.views.all(calls.id) == []


def test_filters_are_there_again_when_one_comes_back(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.EDITOR).open("capture", status="error")
    app.query_params.clear()
    app.switch_page("../../pages/curate.py").run()
    app.query_params.clear()
    app.switch_page("../../pages/capture.py").run()
    assert address(app)["status"] == ["error"] and len(prompts(app)) == 1


def dialog() -> None:
    import streamlit as st

    from studio.ui.capture import actions
    from studio.ui.state import current_studio

    verb = getattr(actions, st.session_state["verb"])
    verb(current_studio().projects.all()[0], st.session_state["uids"])


def opened(verb: str, uids: tuple[str, ...] = (), **query: str) -> AppTest:
    app = AppTest.from_function(dialog, default_timeout=30)
    app.session_state["verb"], app.session_state["uids"] = verb, uids
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def test_what_the_filters_show_is_added_to_a_new_dataset(browser_of: Open, calls: Project, studio: Studio) -> None:
    browser_of(Role.EDITOR)
    app = opened("add_dialog", q="ticket 4 ")
    assert "**1** call matched" in texts(app)
    app.button(key="add_now").click().run()
    [dataset] = studio.datasets.all(calls.id)
    [job] = studio.jobs.recent(calls.id)
    assert (dataset.name, job.kind) == ("main", "add_logs")
    criteria = LogFilter.from_dict(job.spec["filter"])
    assert criteria.text == "ticket 4 " and studio.explorer.count(criteria).n == 1


def test_selected_calls_become_golden_examples(browser_of: Open, calls: Project, studio: Studio) -> None:
    browser_of(Role.EDITOR)
    app = opened("golden_dialog", ("u5", "u6"))
    assert "**2** selected calls" in texts(app)
    app.button(key="golden_now").click().run()
    [dataset] = studio.datasets.all(calls.id)
    assert studio.datasets.summary(dataset.id).verified_golden == 2


def test_everything_the_filters_show_becomes_golden_too(browser_of: Open, calls: Project, studio: Studio) -> None:
    browser_of(Role.EDITOR)
    opened("golden_dialog", status="ok", range="All").button(key="golden_now").click().run()
    [dataset] = studio.datasets.all(calls.id)
    assert studio.datasets.summary(dataset.id).verified_golden == 69


def test_connecting_waits_for_the_next_call(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.EDITOR).open("capture")
    app.button(key="connect_feature").click().run()
    assert "Waiting for the next call" in texts(app) and any("base_url" in block.value for block in app.code)


def test_selected_calls_are_sent_to_teammates(browser_of: Open, calls: Project, studio: Studio) -> None:
    browser_of(Role.EDITOR)
    app = opened("label_dialog", ("u5", "u6", "u7"))
    app.button(key="label_now").click().run()
    [task] = studio.labeling.all(calls.id)
    messages = [example.messages[0]["content"] for _item, example in studio.labeling.items(task.id)]
    assert sorted(text[:9] for text in messages) == ["Ticket 5 ", "Ticket 6 ", "Ticket 7 "]

"""The Capture page on real calls: what it shows, filters, opens, and lets people say."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

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


def test_before_the_first_call_it_shows_how_to_connect(browser_of: Open, studio: Studio) -> None:
    studio.projects.create(Actor.operator(), "support")
    app = browser_of(Role.EDITOR).open("capture")
    assert any("base_url" in block.value for block in app.code)
    assert {"Import a file", "Load the sample project", "Create API key"} <= {found.label for found in app.button}
    app.text_input(key="capture_key_name").set_value("checkout").run()
    app.button(key="capture_new_key").click().run()
    assert any(block.value.startswith("wk-") for block in app.code)


def test_calls_are_listed_a_page_at_a_time(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.VIEWER).open("capture")
    assert "**70** calls" in texts(app) and len(app.dataframe[0].value) == 50
    app.button(key="older").click().run()
    assert len(app.dataframe[0].value) == 20 and "page 2" in texts(app)
    app.button(key="newer").click().run()
    assert len(app.dataframe[0].value) == 50


def test_filters_narrow_the_list_and_lead_back_to_the_first_page(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.VIEWER).open("capture")
    app.button(key="older").click().run()
    app.multiselect(key="status").set_value(["error"]).run()
    assert "**1** call" in texts(app) and list(app.dataframe[0].value["status"]) == ["error"]
    app.multiselect(key="status").set_value([]).run()
    app.text_input(key="q").set_value("ticket 42").run()
    assert next(iter(app.dataframe[0].value["prompt"])).startswith("Ticket 42")
    app.text_input(key="q").set_value("nothing like this").run()
    assert "No calls match" in texts(app)
    app.button(key="clear_filters").click().run()
    assert "**70** calls" in texts(app)


def test_a_call_opens_from_its_address_and_is_shown_as_text_only(browser_of: Open, calls: Project) -> None:
    browser = browser_of(Role.EDITOR)
    app = browser.open("capture", call="u5")
    assert [block.value for block in app.text] == [f"Ticket 5 {HOSTILE}"]
    assert {'{"a": 1}', 'look_up({"id": 7})'} <= {block.value for block in app.code}
    assert not [block for block in (*app.markdown, *app.caption) if "evil" in block.value]


def test_a_thumb_and_a_correction_reach_the_call(browser_of: Open, calls: Project, studio: Studio) -> None:
    app = browser_of(Role.EDITOR).open("capture", call="u5")
    app.button(key="rate_0").click().run()
    entry = studio.logs.entry(calls.id, "u5")
    [given] = studio.logs.feedback_of(entry)
    assert entry.rating == "down" and (given.given_by, given.source) == ("editor-person", "studio")


def test_a_viewer_reads_but_does_not_rate_or_add(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.VIEWER).open("capture", call="u5")
    assert not [found for found in app.button if found.key in ("rate_0", "rate_1")]
    assert app.button(key="primary").disabled and app.button(key="import").disabled


def test_an_unknown_call_in_the_address_is_told(browser_of: Open, calls: Project) -> None:
    app = browser_of(Role.VIEWER).open("capture", call="gone")
    assert "not in the project" in app.error[0].value and not app.exception


def dialog() -> None:
    from studio.ui.capture.actions import add_dialog
    from studio.ui.state import current_studio

    add_dialog(current_studio().projects.all()[0])


def test_what_the_filters_show_is_added_to_a_new_dataset(browser_of: Open, calls: Project, studio: Studio) -> None:
    browser_of(Role.EDITOR)
    app = AppTest.from_function(dialog, default_timeout=30)
    app.session_state["q"] = "ticket 4 "
    app.run()
    assert "**1** call matched" in texts(app)
    app.button(key="add_now").click().run()
    [dataset] = studio.datasets.all(calls.id)
    [job] = studio.jobs.recent(calls.id)
    assert (dataset.name, job.kind) == ("main", "add_logs")
    criteria = LogFilter.from_dict(job.spec["filter"])
    assert criteria.text == "ticket 4 " and studio.logs.count(criteria).n == 1

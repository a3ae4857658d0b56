"""The shared parts: job panels, errors as sentences, remembered filters, charts, and what a failed page shows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from storage.tables import Job
from storage.types import now
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from tests.unit.ui.conftest import Browser, texts


def panel(job_id: str) -> None:
    from studio.ui.components import job_panel

    job_panel(job_id, key="job")


def submit(studio: Studio, **facts: object) -> Job:
    job = studio.jobs.submit(Actor.operator(), "train", {}, title="Train [x](http://evil) tiny")
    with studio.database.write() as session:
        session.add(job)
        for name, value in facts.items():
            setattr(job, name, value)
    return job


def open_panel(job: Job) -> AppTest:
    return AppTest.from_function(panel, args=(job.id,), default_timeout=30).run()


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_a_running_job_shows_progress_and_can_be_cancelled(browser_of: Callable[[Role], Browser]) -> None:
    studio = browser_of(Role.EDITOR).studio
    started = now() - timedelta(seconds=60)
    app = open_panel(submit(studio, status="running", progress=0.5, progress_text="step 4", started_at=started))
    assert buttons(app) == ["Cancel"]
    assert "[x](http" not in texts(app)


def test_cancelling_a_waiting_job_ends_it_at_once(browser_of: Callable[[Role], Browser]) -> None:
    studio = browser_of(Role.EDITOR).studio
    job = submit(studio)
    app = open_panel(job)
    app.button(key="job_cancel").click().run()
    assert studio.jobs.get(job.id).status == "cancelled"
    assert buttons(app) == ["Try again"]


def test_a_failed_job_says_why_and_can_be_tried_again(browser_of: Callable[[Role], Browser]) -> None:
    studio = browser_of(Role.EDITOR).studio
    job = submit(studio, status="failed", error="The disk is full. Free some space.", finished_at=now())
    app = open_panel(job)
    assert "The disk is full" in app.error[0].value
    app.button(key="job_retry").click().run()
    assert studio.jobs.get(job.id).status == "queued" and buttons(app) == ["Cancel"]


def waiting_text(job: Job) -> str:
    return str(open_panel(job).get("progress")[0].proto.text)


def test_a_waiting_job_says_what_it_waits_for(browser_of: Callable[[Role], Browser]) -> None:
    studio = browser_of(Role.EDITOR).studio
    first = submit(studio)
    assert "Waits for a free slot; it is next" in waiting_text(first)
    second = submit(studio)
    assert "Waits for a free slot; 1 job goes first" in waiting_text(second)
    assert "which is queued" in waiting_text(submit(studio, after_job_id=first.id))
    late = submit(studio, not_before=now() + timedelta(days=400))
    assert "Waits until" in waiting_text(late)
    big = submit(studio, progress_text="This job wants 4 GPUs, and this machine has none. It waits for a machine.")
    assert "This job wants 4 GPUs" in waiting_text(big)


def test_a_cancelled_job_says_why_where_nobody_asked_for_it(browser_of: Callable[[Role], Browser]) -> None:
    studio = browser_of(Role.EDITOR).studio
    told = "“Train a”, which this job waits for, failed, so it was not started."
    assert told in open_panel(submit(studio, status="cancelled", error=told, finished_at=now())).warning[0].value
    assert not open_panel(submit(studio, status="cancelled", finished_at=now())).warning


def test_a_viewer_watches_without_buttons(browser_of: Callable[[Role], Browser]) -> None:
    assert buttons(open_panel(submit(browser_of(Role.VIEWER).studio))) == []


def test_a_sign_in_revoked_meanwhile_cancels_nothing(browser_of: Callable[[Role], Browser]) -> None:
    browser = browser_of(Role.EDITOR)
    job = submit(browser.studio)
    app = open_panel(job)
    browser.studio.people.sign_out(browser.token)
    app.button(key="job_cancel").click().run()
    assert browser.studio.jobs.get(job.id).status == "queued"


def test_an_error_is_shown_as_its_sentence_and_never_as_markup(browser_of: Callable[[Role], Browser]) -> None:
    def script() -> None:
        import streamlit as st

        from studio.errors import InvalidInput
        from studio.ui.state import reported_errors

        with reported_errors():
            raise InvalidInput("Line 3 of ![x](http://evil/p.png) is not JSON.")
        st.text("the page goes on")

    browser_of(Role.VIEWER)
    app = AppTest.from_function(script).run()
    assert app.error[0].value.startswith("Line 3") and "![x](" not in app.error[0].value
    assert app.text[0].value == "the page goes on" and not app.exception


def test_a_bug_is_not_hidden_as_an_input_error() -> None:
    def script() -> None:
        from studio.ui.state import reported_errors

        with reported_errors():
            raise ZeroDivisionError("a bug")

    assert AppTest.from_function(script).run().exception


def test_a_failed_page_shows_a_reference_that_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def script() -> None:
        from studio.ui.server import tell_of_failure

        assert tell_of_failure(ZeroDivisionError("secret detail"))

    with caplog.at_level(logging.ERROR, logger="whetstone.web"):
        app = AppTest.from_function(script).run()
    shown = app.error[0].value
    reference = caplog.records[0].getMessage().rsplit(" ", 1)[1]
    assert reference in shown and "secret detail" not in shown
    assert caplog.records[0].exc_info


def test_filters_survive_a_visit_to_another_page_but_the_address_wins() -> None:
    def script() -> None:
        import streamlit as st

        from studio.ui.state import keep_filters, restore_filters

        if st.session_state.get("away"):
            st.text("elsewhere")
        else:
            restore_filters("logs", ["q"])
            st.text_input("Search", key="q", bind="query-params")
            keep_filters("logs", ["q"])

    app = AppTest.from_function(script).run()
    app.text_input(key="q").set_value("refund").run()
    app.session_state["away"] = True
    app.run()
    app.query_params.clear()
    app.session_state["away"] = False
    app.run()
    assert app.text_input(key="q").value == "refund"


def test_charts_draw_times_numbers_and_names_from_one_frame() -> None:
    def script() -> None:
        import pandas as pd

        from studio.ui.charts import bar_chart, line_chart

        days = pd.date_range("2026-01-01", periods=3, tz="UTC")
        frame = pd.DataFrame({"day": days, "step": [1, 2, 3], "name": list("abc"), "ok": [3, 4, 5], "error": [0, 1, 0]})
        line_chart(frame, x="day", y=["ok", "error"], key="a", area=True, colors={"error": "#EF4444"})
        line_chart(frame, x="step", y="ok", key="b", y_min=0, y_name="calls")
        bar_chart(frame, x="name", y=["ok", "error"], key="c", stacked=True)
        bar_chart(frame, x="name", y="ok", key="d", horizontal=True, y_max=10)

    app = AppTest.from_function(script).run()
    assert not app.exception, app.exception[0].stack_trace
    assert len(app.main.children) == 4

"""The shell: who sees which page, where a signed-out browser goes, which project is open."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.ui import state
from studio.ui.navigation import PAGES, page_path, pages_for
from tests.unit.ui.conftest import APP, Browser, texts


def test_the_ten_pages_are_named_like_the_stages_of_the_loop() -> None:
    names = [page.name for page in PAGES]
    assert names == [
        "home",
        "capture",
        "curate",
        "label",
        "review",
        "train",
        "evaluate",
        "deploy",
        "improve",
        "settings",
    ]
    assert page_path("curate").is_absolute() and page_path("curate").name == "curate.py"


def test_a_labeler_sees_label_and_review_only_and_a_viewer_no_settings() -> None:
    seen = {role: [page.name for page in PAGES if role in page.seen_by] for role in Role}
    assert seen[Role.LABELER] == ["label", "review"]
    assert "settings" not in seen[Role.VIEWER] and "improve" in seen[Role.VIEWER]
    assert len(seen[Role.EDITOR]) == len(seen[Role.ADMIN]) == 10


def test_pages_whose_file_is_missing_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {page.name for page in pages_for(Role.ADMIN)} <= {page.name for page in PAGES}
    assert all(page.path.is_file() for page in pages_for(Role.ADMIN))


def test_a_signed_out_browser_is_sent_to_the_sign_in_page_and_sees_nothing_else(studio: Studio) -> None:
    app = AppTest.from_file(str(APP), default_timeout=30).run()
    assert not app.exception
    assert not app.title and not app.sidebar.selectbox
    assert "/auth/login?next=" in app.main[0].proto.body


def test_a_viewer_cannot_open_settings_by_address(browser_of: Callable[[Role], Browser]) -> None:
    with pytest.raises(ValueError, match="settings"):
        browser_of(Role.VIEWER).open("settings")


def test_a_sign_in_that_was_revoked_stops_the_page_at_the_next_run(browser_of: Callable[[Role], Browser]) -> None:
    browser = browser_of(Role.EDITOR)
    app = browser.open()
    assert app.title[0].value == "Welcome to Whetstone"
    browser.studio.people.sign_out(browser.token)
    app.run()
    assert not app.title and not app.exception


def test_the_project_of_the_address_is_opened(browser_of: Callable[[Role], Browser]) -> None:
    browser = browser_of(Role.ADMIN)
    for name in ("first", "second"):
        browser.studio.projects.create(Actor.operator(), name)
    assert browser.open(project="second").sidebar.selectbox(key="project").value == "second"
    assert browser.open(project="no such").sidebar.selectbox(key="project").value == "first"


def test_a_project_made_on_a_page_becomes_the_open_one(browser_of: Callable[[Role], Browser]) -> None:
    browser = browser_of(Role.ADMIN)
    browser.studio.projects.create(Actor.operator(), "first")
    app = browser.open()
    browser.studio.projects.create(Actor.operator(), "second")
    app.session_state[state.PROJECT_TO_OPEN] = "second"
    app.run()
    assert app.sidebar.selectbox(key="project").value == "second"


def test_hostile_names_are_shown_as_text(browser_of: Callable[[Role], Browser]) -> None:
    browser = browser_of(Role.ADMIN)
    hostile = "![x](http://evil.example/pixel.png) <script>alert(1)</script> :material/home:"
    browser.studio.projects.create(Actor.operator(), hostile)
    app = browser.open("settings", tab="Projects")
    assert not app.exception and "evil" in texts(app)
    assert "![x](" not in texts(app) and "<script>" not in texts(app)

"""Every page opens, for everybody who may see it, on an empty studio and on one with a project."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studio.access.actor import Actor, Role
from studio.ui.navigation import PAGES
from tests.unit.ui.conftest import Browser, texts

ROLES = (Role.ADMIN, Role.VIEWER, Role.LABELER)
SHOWN = [(page.name, role) for page in PAGES for role in ROLES if role in page.seen_by and page.path.is_file()]


@pytest.mark.parametrize(("page", "role"), SHOWN)
@pytest.mark.parametrize("with_project", [False, True], ids=["empty", "project"])
def test_the_page_opens(browser_of: Callable[[Role], Browser], page: str, role: Role, with_project: bool) -> None:
    browser = browser_of(role)
    if with_project:
        browser.studio.projects.create(Actor.operator(), "support")
    app = browser.open(page)
    assert not app.exception, app.exception[0].stack_trace
    assert not app.error, app.error[0].value
    assert len(app.title) == 1 and app.title[0].value
    assert app.caption, texts(app)

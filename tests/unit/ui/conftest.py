"""Pages as Streamlit runs them, on a real studio in a temporary folder, for a person with a role."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from storage.database import Database
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio
from studio.settings import Settings
from studio.ui import state

APP = Path(state.__file__).parent / "app.py"
PASSWORD = "a long enough one"


@dataclass
class Browser:
    """Opens pages as one signed-in person."""

    studio: Studio
    token: str

    def open(self, page: str = "", **query: str) -> AppTest:
        """The app after its first run, on the page with this name (the role's first page by default)."""
        app = AppTest.from_file(str(APP), default_timeout=30)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        return app.switch_page(f"../../pages/{page}.py").run() if page else app


@pytest.fixture(scope="session", autouse=True)
def cheap_garbage_collection() -> Iterator[None]:
    """Streamlit collects garbage after every run; as in the real server, do not let it walk every import."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def studio(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """The studio that pages get, on this test's folder."""
    monkeypatch.setenv("STUDIO_HOME", str(settings.home))
    state.current_studio.clear()
    studio = state.current_studio()
    yield studio
    studio.database.close()
    state.current_studio.clear()


@pytest.fixture
def browser_of(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Callable[[Role], Browser]:
    """Sign a new person with this role in."""

    def sign_in(role: Role) -> Browser:
        studio.people.create(Actor.operator(), f"{role}-person", PASSWORD, role)
        token = studio.people.sign_in(f"{role}-person", PASSWORD)
        assert token
        monkeypatch.setattr(state, "cookie_token", lambda: token)
        return Browser(studio, token)

    return sign_in


def texts(app: AppTest) -> str:
    """All text on the page, for `in`."""
    kinds = (app.title, app.subheader, app.markdown, app.caption, app.text, app.error, app.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind)

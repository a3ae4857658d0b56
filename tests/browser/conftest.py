"""A real studio and a real Chromium. A page that logs an error, shows an exception or fails on the server fails."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    FrameLocator,
    Locator,
    Page,
    Playwright,
    TimeoutError,
    expect,
    sync_playwright,
)

from tests.fakes.studio_process import ROOT, RunningStudio, running_studio, settings_in

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
HARMLESS = ("/_stcore/health", "/_stcore/host-config")
"""A deep link makes Streamlit's page ask for these below the page's path first; it finds them at the root next."""
NETWORK_CHANGED, NOT_FETCHED = "ERR_NETWORK_CHANGED", "Failed to fetch dynamically imported module"
WAIT_MS = 60_000
expect.set_options(timeout=WAIT_MS)  # its own 5 s are too few for a first visit on a busy machine
SAMPLE_CALLS = 600


@pytest.fixture(scope="package")
def studio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """The whole studio as `studio up` runs it, with a smaller sample project."""
    home = tmp_path_factory.mktemp("studio") / "home"
    settings = settings_in(home, argilla_python=ROOT / ".venv-argilla/bin/python", sample_calls=SAMPLE_CALLS)
    ready = [f"{settings.web_url}/health", f"{settings.gateway_url}/health", f"{settings.sample_url}/health"]
    ready.append(f"http://127.0.0.1:{settings.argilla_port}/api/v1/version")
    with running_studio(settings, [("studio.cli", "up")], ready) as running:
        yield running


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None and not Path(playwright.chromium.executable_path).exists():
        pytest.skip("NO CHROMIUM: the browser tests did not run. Install it: apt-get install chromium")
    browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
    yield browser
    browser.close()


@dataclass
class Watched:
    """What went wrong on a page while a test drove it."""

    errors: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    """Parts of complaints that the test provokes on purpose."""

    def watch(self, page: Page) -> None:
        """Collect what the page's console, scripts and requests complain about."""
        page.on("pageerror", lambda error: self.errors.append(f"script: {error}"))
        page.on("requestfailed", lambda request: self._request_failed(request.url, request.failure or ""))
        page.on("response", lambda answer: self._answered(answer.url, answer.status))
        page.on("console", lambda line: self._logged(line.type, line.text))

    def _logged(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:  # those are judged by their response
            self.errors.append(f"console: {text}")

    def _answered(self, url: str, status: int) -> None:
        if status >= 400 and not url.endswith(HARMLESS):
            self.errors.append(f"HTTP {status}: {url}")

    def _request_failed(self, url: str, why: str) -> None:
        if NETWORK_CHANGED in why:
            self.allowed.append(NOT_FETCHED)  # a container came or went: its network interface breaks requests off
        elif "ERR_ABORTED" not in why:  # the page was left while it loaded
            self.errors.append(f"{why}: {url}")


@pytest.fixture
def watched() -> Watched:
    """Complaints of this test's windows; append to `allowed` what the test provokes."""
    return Watched()


@pytest.fixture
def open_window(chromium: Browser, studio_server: RunningStudio, watched: Watched) -> Iterator[Callable[[], Page]]:
    """Open windows with cookies of their own, as different people; each is checked for errors at the end."""
    before, pages = len(studio_server.said()), list[Page]()

    def open_one() -> Page:
        context = chromium.new_context(viewport={"width": 1440, "height": 900}, base_url=studio_server.url)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        watched.watch(page)
        pages.append(page)
        return page

    yield open_one
    exceptions = [text for page in pages for text in page.get_by_test_id("stException").all_inner_texts()]
    for page in pages:
        page.context.close()
    said = studio_server.said()[before:]
    errors = [error for error in watched.errors if not any(part in error for part in watched.allowed)]
    assert not exceptions and not errors, (exceptions, errors)
    assert "Traceback" not in said and "page failed" not in said, said[-4000:]


@pytest.fixture
def browser_page(open_window: Callable[[], Page]) -> Page:
    """One window, not signed in."""
    return open_window()


@pytest.fixture
def signed_in(browser_page: Page, studio_server: RunningStudio) -> Page:
    """One window, signed in as the admin, on Home."""
    sign_in(browser_page, studio_server)
    return browser_page


def sign_in(page: Page, studio: RunningStudio, goal: str = "/", username: str = "", password: str = "") -> None:
    """Through the sign-in form, to the page asked for."""
    page.goto(goal)
    page.get_by_label("Username").fill(username or studio.username)
    page.get_by_label("Password").fill(password or studio.password)
    page.get_by_role("button", name="Sign in").click()
    settled(page)


def settled(page: Page) -> None:
    """Wait until the page's script has run."""
    expect(page.locator(SETTLED)).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("h1").first).to_be_visible(timeout=WAIT_MS)


def go_to(page: Page, title: str) -> None:
    """Click a page in the sidebar until it is there: a page that draws itself anew just then can lose a click."""
    settled(page)
    heading = page.get_by_role("heading", level=1).first
    for _ in range(6):
        with suppress(TimeoutError, AssertionError):
            page.get_by_test_id("stSidebarNav").get_by_role("link", name=title).click(timeout=10_000)
            expect(heading).to_contain_text(title, timeout=20_000)
            break
    expect(heading).to_contain_text(title)
    settled(page)


def open_dialog(page: Page, button: Locator) -> Locator:
    """Click until the dialog is there: a page that draws itself anew just then can lose a click."""
    dialog = page.get_by_role("dialog")
    for _ in range(6):
        with suppress(TimeoutError, AssertionError):
            if not dialog.count():
                button.click(timeout=10_000)
            expect(dialog).to_be_visible(timeout=10_000)
            return dialog
    raise AssertionError("The dialog did not open.")


def confirm_dialog(page: Page, name: str) -> None:
    """Press the button of the open dialog until it closes."""
    dialog = page.get_by_role("dialog")
    for _ in range(4):
        with suppress(TimeoutError, AssertionError):
            if dialog.count():
                dialog.get_by_role("button", name=name, exact=True).click(timeout=10_000)
            expect(dialog).to_have_count(0, timeout=30_000)
            return
    expect(dialog).to_have_count(0)


def click_for(page: Page, button: Locator, text: str) -> None:
    """Click until the page says this."""
    main = page.get_by_test_id("stMain")
    for _ in range(3):
        settled(page)
        with suppress(TimeoutError, AssertionError):
            button.click(timeout=10_000)
            expect(main).to_contain_text(text, timeout=30_000)
            return
    expect(main).to_contain_text(text)


def submit(argilla: Page | FrameLocator, label: str, correction: str = "") -> None:
    """Answer the record on Argilla's form, again if it slid in just then and took the choice away.

    It is answered when Argilla goes on, to another record or to the end.
    """
    button = argilla.get_by_role("button", name="Submit").first
    expect(button).to_be_disabled(timeout=60_000)  # nothing is chosen yet
    record = argilla.locator(".chat")
    shown = record.all_inner_texts()
    for _ in range(6):
        with suppress(TimeoutError):
            if not button.is_enabled():
                argilla.get_by_text(label, exact=True).first.click(timeout=5000)
            if correction:
                argilla.locator("[contenteditable=true]").first.fill(correction, timeout=5000)
            button.click(timeout=5000)
        if went_on(record, shown):
            return
    raise AssertionError(f"Argilla did not take {label}.")


def went_on(record: Locator, shown: list[str], seconds: float = 10) -> bool:
    """Whether something else, or nothing, is shown within this time."""
    deadline = time.monotonic() + seconds
    while (unchanged := record.all_inner_texts() == shown) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not unchanged

"""The log explorer in a real browser: filter, share, read, select, follow, export. A project of its own."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect

from storage.tables import Project
from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.capture.entries import entry_values
from studio.capture.intake import insert_entries
from studio.capture.record import Record
from tests.browser.conftest import open_dialog, settled, sign_in
from tests.fakes.studio_process import RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow]
Explored = tuple[Studio, Project]
NAME = "Explored"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
CALLS = 120


@pytest.fixture(scope="module")
def explored(studio_server: RunningStudio) -> Iterator[Explored]:
    """A project with calls of every kind; nothing of it depends on what other tests leave behind.

    It is never the oldest one: the address names every project but that.
    """
    studio = build_studio(studio_server.settings)
    if not studio.projects.all():
        studio.projects.create(Actor.operator(), "Older")
    project = studio.projects.create(Actor.operator(), NAME)
    add(studio, project, [call(project, number) for number in range(CALLS)])
    yield studio, project
    studio.explorer.close()
    studio.database.close()


def call(project: Project, number: int, text: str = "", model: str = "", uid: str = "explored") -> dict[str, object]:
    status = "error" if number % 10 == 3 else "ok"
    meta = {
        "uid": f"{uid}-{number}",
        "at": time.time() - number,
        "project_id": project.id,
        "status": status,
        "latency_ms": 100.0 + number,
        "error": "The provider is busy." if status == "error" else None,
        "tags": {"feature": "refund" if number % 3 else "search"},
        "session_id": f"session-{number // 2}" if 0 <= number < 10 else None,
    }
    said = text or f"Order {number} {HOSTILE}"
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": said}]
    if 0 <= number < 10 and number % 2 == 0:
        asked += [{"role": "assistant", "content": "Yes?"}, {"role": "user", "content": f"And then, {number}?"}]
    request = {"model": model or f"model-{number % 12}", "messages": asked}
    reply = {"choices": [{"message": {"role": "assistant", "content": json.dumps({"order": number})}}]}
    return entry_values(Record(meta, json.dumps(request).encode(), json.dumps(reply).encode()))


def add(studio: Studio, project: Project, rows: list[dict[str, object]]) -> None:
    with studio.database.write() as session:
        insert_entries(session, rows)


def open_calls(page: Page, studio: RunningStudio, query: str = "", project: str = NAME) -> Locator:
    sign_in(page, studio, f"/capture?project={project}{query}")
    rows = page.get_by_role("table", name="Captured calls").locator("tbody tr")
    expect(rows.first).to_be_visible()
    return rows


def found(page: Page, n: int) -> None:
    expect(page.locator("div.count")).to_contain_text(re.compile(rf"^{n:,} calls?"))


def test_filters_live_in_the_address_and_open_again_in_a_fresh_window(
    browser_page: Page, open_window: Callable[[], Page], studio_server: RunningStudio, explored: Explored
) -> None:
    page = browser_page
    open_calls(page, studio_server)
    found(page, CALLS)
    page.get_by_role("checkbox", name="Status: error").click()
    found(page, 12)
    page.get_by_role("checkbox", name="feature: refund").click()
    found(page, 8)
    page.get_by_label("Order", exact=True).select_option("-latency_ms")
    expect(page).to_have_url(re.compile("sort=-latency_ms"))
    expect(page).to_have_url(re.compile(r"status=error.*tag=feature%3Drefund"))
    address = page.url
    page.get_by_role("button", name="Remove Status: error").click()
    found(page, 80)
    other = open_window()
    sign_in(other, studio_server, "/" + address.partition("//")[2].partition("/")[2])
    found(other, 8)
    expect(other.get_by_label("Order", exact=True)).to_have_value("-latency_ms")


def test_another_project_opens_without_the_filters_of_this_one(
    browser_page: Page, studio_server: RunningStudio, explored: Explored
) -> None:
    page, (studio, _) = browser_page, explored
    other = studio.projects.create(Actor.operator(), "Not filtered")
    add(studio, other, [call(other, number, uid="other") for number in range(20, 23)])
    open_calls(page, studio_server, "&model=model-1&status=ok")
    found(page, 8)
    choose_project(page, "Not filtered")
    found(page, 3)
    expect(page).to_have_url(re.compile(r"/capture\?project=Not[+]filtered$"))
    choose_project(page, NAME)
    found(page, 8)
    expect(page).to_have_url(re.compile(r"project=Explored.*model=model-1.*status=ok|model=model-1.*project=Explored"))
    page.reload()
    found(page, 8)


def choose_project(page: Page, name: str) -> None:
    """Choose it until it is open: a page that draws itself anew just then can lose a click."""
    picker = page.get_by_test_id("stSidebar").get_by_role("combobox", name="Project")
    for _ in range(6):
        settled(page)
        with suppress(TimeoutError, AssertionError):
            picker.click(timeout=10_000)
            page.get_by_role("option", name=name, exact=True).click(timeout=10_000)
            expect(picker).to_have_value(name, timeout=20_000)
            return
    expect(picker).to_have_value(name)


def test_a_call_is_read_as_plain_text_rated_and_left_for_the_next_one(
    browser_page: Page, studio_server: RunningStudio, explored: Explored
) -> None:
    page, (studio, project) = browser_page, explored
    rows = open_calls(page, studio_server, "&session=session-2&sort=created_at")
    drawer = open_dialog(page, rows.last)
    expect(drawer).to_contain_text("And then, 4?")
    expect(drawer).to_contain_text("1 message as in the call before")
    expect(drawer.get_by_role("button", name="Next")).to_be_disabled()
    drawer.get_by_role("button", name="Previous").click()
    expect(drawer).to_contain_text(f"Order 5 {HOSTILE}")
    expect(page).to_have_url(re.compile("call=explored-5"))
    drawer.get_by_role("button", name="Good").click()
    wait_for(lambda: studio.logs.entry(project.id, "explored-5").rating == "up")
    drawer.get_by_text("Raw", exact=True).click()
    expect(drawer).to_contain_text('"model": "model-5"')
    assert page.title() != "owned" and not page.locator("img[src=x]").count()
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(page).not_to_have_url(re.compile("call="))


def test_selected_calls_become_golden_and_what_is_shown_is_exported(
    browser_page: Page, studio_server: RunningStudio, explored: Explored
) -> None:
    page, (studio, project) = browser_page, explored
    rows = open_calls(page, studio_server, "&status=ok&model=model-1")
    for place in (0, 1):
        rows.nth(place).get_by_role("checkbox").check()
    expect(page.locator("div.selection")).to_contain_text("2 selected")
    dialog = open_dialog(page, page.locator("div.selection").get_by_role("button", name="Mark as golden"))
    dialog.get_by_role("button", name="Mark as golden").click()
    expect(dialog).to_have_count(0)
    [dataset] = studio.datasets.all(project.id)
    assert studio.datasets.summary(dataset.id).verified_golden == 2
    settled(page)
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="CSV").click()
    lines = list(csv.reader(downloaded.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert downloaded.value.suggested_filename == f"{NAME}-calls.csv" and len(lines) == 1 + rows.count()


def test_live_calls_slide_in_and_wait_while_somebody_selects(
    browser_page: Page, studio_server: RunningStudio, explored: Explored
) -> None:
    page, (studio, _others) = browser_page, explored
    project = studio.projects.create(Actor.operator(), "Followed")
    add(studio, project, [call(project, -1, "The first live call", "model-live", "followed")])
    rows = open_calls(page, studio_server, "&live=1&model=model-live", project.name)
    expect(rows.first).to_contain_text("The first live call")
    add(studio, project, [call(project, -2, "The second live call", "model-live", "followed")])
    expect(rows.first).to_contain_text("The second live call")
    rows.first.get_by_role("checkbox").check()
    add(studio, project, [call(project, -3, "The third live call", "model-live", "followed")])
    waiting = page.get_by_role("button", name="1 new call")
    expect(waiting).to_be_visible()
    expect(rows.first).to_contain_text("The second live call")
    waiting.click()
    expect(rows.first).to_contain_text("The third live call")


def wait_for(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert holds()

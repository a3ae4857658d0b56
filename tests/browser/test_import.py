"""Imports and privacy in a real browser: files are corrected and come in once; what is switched on is taken out."""

from __future__ import annotations

import csv
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from openai import APIStatusError, OpenAI
from playwright.sync_api import Locator, Page, TimeoutError, expect

from storage.tables import Project
from studio.access.actor import Actor
from studio.bootstrap import Studio, build_studio
from studio.capture.filters import LogFilter
from tests.browser.conftest import click_for, confirm_dialog, open_dialog, settled, sign_in
from tests.fakes.studio_process import RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
OPERATOR = Actor.operator()
ROWS = 40
NO_PROMPT, NO_NUMBER = 6, 10
"""Lines of the file that cannot be taken."""
EMAIL = "maria.lopez@example.com"
MODEL = "sample-teacher"
JOB_MS = 240_000
TRIES = 5


@pytest.fixture
def studio(studio_server: RunningStudio) -> Iterator[Studio]:
    opened = build_studio(studio_server.settings)
    if not opened.projects.all():
        opened.projects.create(OPERATOR, "Older")  # the address names every project but the oldest one
    yield opened
    opened.explorer.close()
    opened.database.close()


def tickets(folder: Path) -> Path:
    """A table whose reply is taken for the wrong column, with two rows that are broken."""
    rows = [
        [
            f"Where is parcel {n}? I ordered last week.",
            f"Looked at the list, {n} is late.",
            f"Parcel {n} comes at noon.",
        ]
        for n in range(ROWS)
    ]
    lines = [["asked", "internal", "answered", "stars"], *[[*row, str(n % 5 + 1)] for n, row in enumerate(rows)]]
    lines[NO_PROMPT - 1][0], lines[NO_NUMBER - 1][3] = "", "three"
    path = folder / "tickets.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return path


def chats(folder: Path) -> Path:
    turns = [{"role": "user", "content": "Is it open?"}, {"role": "assistant", "content": "Until six."}]
    path = folder / "chats.jsonl"
    path.write_text(json.dumps({"messages": turns}) + "\n")
    return path


def test_files_are_corrected_before_they_come_in_and_come_in_only_once(
    browser_page: Page, studio_server: RunningStudio, studio: Studio, tmp_path: Path
) -> None:
    page, project = browser_page, studio.projects.create(OPERATOR, "Imported")
    sign_in(page, studio_server, f"/capture?project={project.name}")
    file, main = tickets(tmp_path), page.get_by_test_id("stMain")
    dialog = drop(page, page.get_by_role("button", name="Import a file"), file)
    correct(page, dialog)
    expect(dialog.get_by_role("tab", name="Refused rows (2)")).to_be_visible()
    settled(page)
    confirm_dialog(page, "Import")
    expect(main).to_contain_text(f"tickets.csv: {ROWS - 2} calls imported, 0 were here already.", timeout=JOB_MS)
    assert refused(page) == [
        [str(NO_PROMPT), "asked", "There is no prompt: the cell is empty. Fill it in, or leave the row out."],
        [str(NO_NUMBER), "stars", "'three' is not a number. Correct it, or leave the column out."],
    ]
    shows = page.get_by_role("button", name="Show imported calls")
    until(lambda: shows.click(timeout=10_000), lambda: expect(page).to_have_url(re.compile("source=import")))
    expect(page.get_by_role("table", name="Captured calls")).to_contain_text("comes at noon")
    settled(page)
    dialog = drop(page, page.get_by_role("button", name="Import", exact=True), file, chats(tmp_path))
    expect(dialog).to_contain_text("2 files")
    back, look = dialog.get_by_role("button", name="All files"), dialog.get_by_role("button", name="Look").first
    until(lambda: look.click(timeout=10_000), lambda: expect(back).to_be_visible(timeout=20_000))
    correct(page, dialog)
    settled(page)
    dialog.get_by_role("button", name="Read it so").click()
    expect(dialog.get_by_role("button", name="Import 2 files")).to_be_enabled()
    settled(page)
    confirm_dialog(page, "Import 2 files")
    expect(main).to_contain_text(f"tickets.csv: 0 calls imported, {ROWS - 2} were here already.", timeout=JOB_MS)
    expect(main).to_contain_text("chats.jsonl: 1 call imported, 0 were here already.", timeout=JOB_MS)
    assert studio.logs.count(LogFilter(project.id)).n == ROWS - 2 + 1


def drop(page: Page, button: Locator, *files: Path) -> Locator:
    """Drop files into the import dialog, and wait until they are read."""
    dialog = open_dialog(page, button)
    field, read = dialog.get_by_label("Files to import"), dialog.get_by_role("button", name="Choose ")
    until(
        lambda: field.set_input_files(list(files), timeout=10_000), lambda: expect(read).to_be_visible(timeout=20_000)
    )
    return dialog


def correct(page: Page, dialog: Locator) -> None:
    """The reply is `answered`; what was taken for it is a comment."""
    choose(page, dialog, "internal", "Comment")
    expect(dialog).to_contain_text("Say which column is the reply.")
    choose(page, dialog, "answered", "Reply")
    expect(dialog.get_by_role("tab", name="Calls (first 18)")).to_be_visible()


def choose(page: Page, dialog: Locator, column: str, role: str) -> None:
    """Say what a column is."""
    field = dialog.get_by_role("combobox", name=f"{column} is")

    def pick() -> None:
        settled(page)
        field.click(timeout=10_000)
        page.get_by_role("option", name=role, exact=True).click(timeout=10_000)

    until(pick, lambda: expect(field).to_have_value(role, timeout=10_000))


def refused(page: Page) -> list[list[str]]:
    """The downloaded list of refused rows, which is also the one on the screen."""
    button = page.get_by_role("button", name="Download all refused rows")
    title = page.get_by_text("2 rows of tickets.csv could not be read")
    settled(page)
    until(lambda: title.click(timeout=10_000), lambda: expect(button).to_be_visible(timeout=10_000))
    with page.expect_download() as downloaded:
        button.click()
    shown = list(csv.reader(downloaded.value.path().read_text().splitlines()))
    assert shown[0] == ["file", "line", "field", "reason"]
    return [line[1:] for line in shown[1:]]


def test_a_detector_that_is_tried_and_saved_takes_values_out_of_the_next_call(
    browser_page: Page, studio_server: RunningStudio, studio: Studio
) -> None:
    page, project = browser_page, studio.projects.create(OPERATOR, "Private")
    sign_in(page, studio_server, f"/settings?project={project.name}&tab=Privacy")
    tried, main = page.get_by_role("textbox", name="Text", exact=True), page.get_by_test_id("stMain")
    tried.fill(f"Write to {EMAIL}.")
    tried.press("Control+Enter")
    expect(main).to_contain_text("Nothing is taken out of this text.")
    settled(page)
    main.get_by_text("E-mail addresses", exact=True).click()
    expect(main).to_contain_text("Write to [email].")
    expect(main).to_contain_text("Not saved yet.")
    click_for(page, page.get_by_role("button", name="Save policy"), "Saved. The gateway follows within a second.")
    assert studio.privacy.policy(project.id).detectors == ("email",)
    client = program(studio_server, studio, project)
    until(lambda: ask(client), lambda: wait_for(lambda: "Write to [email]." in prompts(studio, project), 10))


def program(studio_server: RunningStudio, studio: Studio, project: Project) -> OpenAI:
    """What asks the sample's model through the gateway."""
    url = f"{studio_server.settings.sample_url}/v1"
    studio.providers.save(OPERATOR, project.id, MODEL, url, "sample", [MODEL], {})
    _key, secret = studio.keys.create(OPERATOR, project.id, "program")
    return OpenAI(base_url=f"{studio_server.settings.gateway_url}/v1", api_key=secret, timeout=60, max_retries=0)


def ask(client: OpenAI) -> None:
    """One call, once the gateway knows the key and the model; it follows the policy about then, too."""

    def answered() -> bool:
        with suppress(APIStatusError):
            messages = [{"role": "user", "content": f"Write to {EMAIL}."}]
            return bool(client.chat.completions.create(model=MODEL, messages=messages).choices)  # type: ignore[arg-type]
        return False

    wait_for(answered)


def prompts(studio: Studio, project: Project) -> list[str]:
    """What is written down of the project's calls."""
    return [row.prompt for row in studio.logs.page(LogFilter(project.id))]


def until(act: Callable[[], object], seen: Callable[[], object]) -> None:
    """Do it again until it is seen: a page that draws itself anew just then can lose a click."""
    for _ in range(TRIES):
        with suppress(TimeoutError, AssertionError):
            act()
            seen()
            return
    seen()


def wait_for(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert holds()

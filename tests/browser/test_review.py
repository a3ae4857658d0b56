"""Review sessions in real browsers: two people decide together, one person decides fast, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

import pytest
from playwright.sync_api import Locator, Page, expect

from storage.tables import Dataset, Example, Project
from studio.access.actor import Actor, Role
from studio.bootstrap import Studio, build_studio
from tests.browser.conftest import settled, sign_in
from tests.fakes.disputes import answer, disputed_task
from tests.fakes.studio_process import PASSWORD, RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow]
OPERATOR = Actor.operator()
EXAMPLES = 40
SCREEN = """
  const roots = [...document.querySelectorAll('*')].map(each => each.shadowRoot);
  const root = roots.find(each => each?.querySelector('.review'));"""
NEXT_RECORD = (
    "async () => { const taken = []; for (let turn = 0; turn < 60; turn++) {"
    + SCREEN
    + """
    taken.push(await new Promise((done, fail) => {
      const observer = new MutationObserver(() => { observer.disconnect(); done(performance.now() - pressed); });
      observer.observe(root.querySelector('.talk'), { childList: true });
      const pressed = performance.now();
      document.dispatchEvent(new KeyboardEvent('keydown', { key: turn % 2 ? 'k' : 'j', bubbles: true }));
      setTimeout(() => fail(new Error(`key ${turn} drew nothing: ${document.activeElement?.outerHTML.slice(0, 300)}
        ${root.host?.isConnected} ${document.querySelectorAll('[role=dialog]').length}`)), 5000);
    }));
    await new Promise(done => setTimeout(done, 30));
  }
  return taken;
}"""
)
WATCH = (
    "() => { window.seen = new Promise((done, fail) => { let turns = 0; const poll = setInterval(() => {"
    + SCREEN
    + """
  const seen = root?.querySelector('.people .voted');
  if (!seen && turns++ < 1500) return;
  clearInterval(poll);
  seen ? done(Date.now()) : fail(new Error(root?.querySelector('.review').innerText ?? 'no screen'));
}, 10); }); window.seen.catch(() => null); }"""
)
PRESS = """() => {
  const pressed = Date.now();
  document.dispatchEvent(new KeyboardEvent('keydown', { key: '1', bubbles: true }));
  return pressed;
}"""
FORTY_KEYS = """async () => {
  for (let turn = 0; turn < 40; turn++) {
    document.dispatchEvent(new KeyboardEvent('keydown', { key: String(1 + turn % 2), bubbles: true }));
    await new Promise(done => setTimeout(done, 20));
  }
}"""


@dataclass
class Room:
    """Disputed examples of a project of their own, and the two people who decide."""

    studio: Studio
    project: Project
    dataset: Dataset

    def examples(self) -> list[Example]:
        """As they are now."""
        return self.studio.datasets.examples(self.dataset.id, limit=100)


@pytest.fixture(scope="module")
def people(studio_server: RunningStudio) -> Studio:
    studio = build_studio(studio_server.settings)
    studio.people.create(OPERATOR, "rosa", PASSWORD, Role.EDITOR)
    studio.people.create(OPERATOR, "lars", PASSWORD, Role.LABELER)
    return studio


@pytest.fixture
def room(people: Studio, request: pytest.FixtureRequest) -> Room:
    project = people.projects.create(OPERATOR, f"Room {request.node.name}"[:60])
    dataset = people.datasets.create(OPERATOR, project.id, "tickets")
    disputed_task(people.database, dataset.id, ("rosa", "lars"), EXAMPLES)
    return Room(people, project, dataset)


def test_two_people_vote_blind_decide_undo_and_leave_with_minutes(
    room: Room, open_window: Callable[[], Page], studio_server: RunningStudio
) -> None:
    rosa, lars = open_window(), open_window()
    sign_in(rosa, studio_server, f"/review?project={room.project.name}", "rosa", PASSWORD)
    start(rosa, "lars")
    sign_in(lars, studio_server, link_to(rosa), "lars", PASSWORD)
    expect(lars.locator(".count")).to_have_text(f"1 of {EXAMPLES}")
    expect(chip(rosa, "lars")).not_to_contain_text("away")
    delays = [seen_by(lars, rosa) for _ in range(8)]
    print(f"\nvote to the other screen: median {median(delays):.2f} s, slowest {max(delays):.2f} s, n = {len(delays)}")
    expect(rosa.locator(".state")).to_contain_text("Nobody sees what you choose")
    to_first(rosa), to_first(lars)
    expect(rosa.locator(".choice .by span")).to_have_count(0)
    rosa.keyboard.press("e")
    rosa.get_by_label("The right answer").fill(answer("fraud"))
    rosa.keyboard.press("Control+Enter")
    rosa.keyboard.press("k")
    for page in (rosa, lars):
        expect(page.locator(".state")).to_contain_text("Votes are revealed")
        expect(page.locator(".choice", has_text="fraud")).to_contain_text("rosa")
        expect(page.locator(".choice .by span", has_text="lars")).to_have_count(1)
    expect(lars.locator(".decide")).to_be_hidden()
    rosa.locator(".choice", has_text="fraud").click()
    rosa.get_by_role("button", name="Golden").click()
    rosa.get_by_label("Rule for the guideline").fill("A stolen card is fraud")
    rosa.keyboard.press("Control+Enter")
    expect(lars.locator(".state")).to_contain_text("Decided by rosa: corrected, kept for golden")
    rosa.keyboard.press("u")
    for page in (rosa, lars):
        expect(page.locator(".state")).to_contain_text("Votes are revealed")
    assert not any(each.verified for each in room.examples()), "undo brought back what was before"
    rosa.locator(".choice", has_text="fraud").click()
    rosa.keyboard.press("Enter")
    expect(lars.locator(".state")).to_contain_text("Decided by rosa: corrected")
    [decided] = [each for each in room.examples() if each.verified]
    assert decided.output == answer("fraud") and decided.output_source == "people"
    end(rosa)
    for page in (rosa, lars):
        expect(page.get_by_role("heading", level=1)).to_contain_text("Minutes")
        expect(page.get_by_test_id("stMain")).to_contain_text("A stolen card is fraud")
    with rosa.expect_download() as download:
        rosa.get_by_role("button", name="Download minutes").click()
    assert "A stolen card is fraud" in download.value.path().read_text()


def test_alone_one_key_decides_and_forty_keys_twenty_milliseconds_apart_are_all_saved(
    room: Room, browser_page: Page, studio_server: RunningStudio
) -> None:
    page = browser_page
    sign_in(page, studio_server, f"/review?project={room.project.name}", "rosa", PASSWORD)
    start(page)
    taken = page.evaluate(NEXT_RECORD)
    print(f"\nnext record: median {median(taken):.1f} ms, p95 {quantiles(taken, n=20)[-1]:.1f} ms, n = {len(taken)}")
    expect(page.locator(".count")).to_have_text(f"1 of {EXAMPLES}")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".count")).to_have_text(f"3 of {EXAMPLES}")
    page.reload()
    settled(page)
    expect(page.locator(".count")).to_have_text(f"3 of {EXAMPLES}")
    to_first(page)
    page.evaluate(FORTY_KEYS)
    page.reload()  # what was not told yet is told afterwards
    settled(page)
    expect(page.locator(".decided")).to_have_text(f"{EXAMPLES} decided")
    assert all(each.verified for each in room.examples())
    page.keyboard.press("u")
    expect(page.locator(".decided")).to_have_text(f"{EXAMPLES - 1} decided")
    page.keyboard.press("x")
    expect(page.locator(".decided")).to_have_text(f"{EXAMPLES} decided")
    assert [each.excluded for each in room.examples() if each.excluded] == ["disputed"]
    hostile = page.locator(".talk").inner_text()
    assert "<img src=x onerror=alert(1)> **bold**" in hostile and page.locator(".talk img").count() == 0


def test_another_editor_takes_the_chair_and_the_first_is_told(
    room: Room, open_window: Callable[[], Page], studio_server: RunningStudio
) -> None:
    rosa, admin = open_window(), open_window()
    sign_in(rosa, studio_server, f"/review?project={room.project.name}", "rosa", PASSWORD)
    start(rosa)
    sign_in(admin, studio_server, link_to(rosa))
    admin.get_by_role("button", name="Take the chair").click()
    expect(chip(rosa, "admin")).to_contain_text("chair")
    expect(rosa.get_by_role("button", name="End session")).to_have_count(0)
    expect(rosa.get_by_role("button", name="Take the chair")).to_be_visible()


def start(page: Page, *others: str) -> None:
    page.get_by_role("button", name="Start session").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Agenda: {EXAMPLES} examples")
    for name in others:
        dialog.get_by_label("Who decides with you").click()
        page.get_by_role("option", name=name).click()
        page.keyboard.press("Escape")
    dialog.get_by_role("button", name="Start", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(page.locator(".count")).to_have_text(f"1 of {EXAMPLES}")
    expect(page.locator(".talk .message").first).to_be_visible()


def link_to(page: Page) -> str:
    """What a teammate is sent: without the project, which the session knows."""
    [session_id] = re.findall(r"session=(\w+)", page.url)
    return f"/review?session={session_id}"


def end(page: Page) -> None:
    page.get_by_role("button", name="End session").click()
    page.get_by_role("dialog").get_by_role("button", name="End session").click()


def chip(page: Page, name: str) -> Locator:
    return page.locator(".person", has_text=re.compile(rf"^{name}"))


def to_first(page: Page) -> None:
    page.get_by_role("button", name="Record 1", exact=True).click()


def seen_by(voter: Page, watcher: Page) -> float:
    """Seconds from a vote to the other screen, by the clock both share; then both go on to the next record."""
    watcher.evaluate(WATCH)
    pressed = voter.evaluate(PRESS)
    seen = watcher.evaluate("window.seen")
    watcher.keyboard.press("j")
    expect(watcher.locator(".person.voted", has_text="lars")).to_have_count(0)
    return float(seen - pressed) / 1000

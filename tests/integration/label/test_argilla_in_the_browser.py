"""Two people answer in the real Argilla web UI, signed in by the studio's one-time tickets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from storage.tables import LabelTask
from studio.access.actor import Actor
from studio.label.tasks import Labeling

pytestmark = [pytest.mark.argilla, pytest.mark.browser, pytest.mark.slow]
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update"]
SLOW_MS = 30_000
HOSTILE = '<img src=x onerror="document.title'
Enter = Callable[[str], Page]


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def enter(browser: Browser, labeling: Labeling, task: LabelTask) -> Enter:
    def open_as(username: str) -> Page:
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(SLOW_MS)
        page.route(lambda url: "127.0.0.1" not in url, lambda route: route.abort())
        page.goto(labeling.enter_url(Actor.operator(username), task.id))
        expect(page.get_by_text("Is the answer correct?")).to_be_visible(timeout=SLOW_MS)
        return page

    return open_as


def submit(page: Page) -> None:
    with page.expect_response(lambda answer: "/responses" in answer.url and answer.request.method == "POST") as sent:
        page.get_by_role("button", name="Submit").first.click()
    assert sent.value.ok


def test_two_people_answer_and_the_answers_arrive(enter: Enter, labeling: Labeling, task: LabelTask) -> None:
    mia = enter("mia")
    assert "/annotation-mode" in mia.url and "/sign-in" not in mia.url
    mia.get_by_text("correct", exact=True).first.click()
    submit(mia)

    noah = enter("noah")
    noah.get_by_text("wrong", exact=True).first.click()
    editor = noah.locator("[contenteditable=true]").first
    editor.fill('{"category": "returns"}')
    submit(noah)

    assert labeling.sync(task.id).new == 2
    with labeling.database.read() as session:
        from storage.repositories.labels import AnnotationRepository

        found = {each.annotator: each for each in AnnotationRepository(session).of_task(task.id)}
    shown = {item.id: item.shown_output for item, _example in labeling.items(task.id)}
    assert found["mia"].answers["verdict"] == "correct"
    assert found["mia"].answers["output"] == shown[found["mia"].item_id], "the model's answer was filled in"
    assert found["noah"].answers == {"verdict": "wrong", "output": '{"category": "returns"}'}
    assert {each.status for each in found.values()} == {"submitted"}


def test_captured_text_is_shown_as_text(enter: Enter, labeling: Labeling, task: LabelTask) -> None:
    page = enter("mia")
    page.goto(page.url.split("?")[0] + "?page=1&status=pending&search=number0~all")
    expect(page.get_by_text(HOSTILE[:30]).first).to_be_visible(timeout=SLOW_MS)
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "owned"


BRING_IN = """markup => new Promise(done => {
  const refused = [];
  addEventListener("securitypolicyviolation", event => {
    refused.push(event.effectiveDirective);
    if (refused.length === 2) done(refused.sort());
  });
  document.body.insertAdjacentHTML("beforeend", markup);
})"""


def test_markup_that_others_bring_into_argilla_runs_and_loads_nothing(enter: Enter) -> None:
    page = enter("mia")
    markup = "<img src=x onerror=\"document.title='owned'\"><img src=http://192.0.2.1/pixel.png>"
    assert page.evaluate(BRING_IN, markup) == ["img-src", "script-src-attr"]
    assert page.title() != "owned"


def test_a_used_link_says_what_to_do(browser: Browser, labeling: Labeling, task: LabelTask) -> None:
    url = labeling.enter_url(Actor.operator("mia"), task.id)
    for expected in (200, 403):
        answer = browser.new_context().new_page().goto(url)
        assert answer is not None and answer.status == expected

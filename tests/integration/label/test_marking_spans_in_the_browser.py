"""A person marks parts of hostile captured text in the real Argilla web UI; offsets are those of the text itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from storage.types import new_id
from studio.label.backend import Item, Question, QuestionKind, TaskSpec, Teammate
from tests.fakes.argilla_process import ArgillaProcess

pytestmark = [pytest.mark.argilla, pytest.mark.browser, pytest.mark.slow]
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update"]
SLOW_MS = 30_000
BOMB = "<img src=x onerror=\"document.title='owned'\">![](http://192.0.2.1/pixel.png)"
TEXT = f"😀 {BOMB} &amp; <b>bold</b>\r\nCall 5551234 now 👍 and write to ann@example.com"
LONG = "word " * 20_000 + BOMB
MARK = """([field, start, end]) => {
  const node = [...document.querySelectorAll("p")].find(each => each.textContent.includes(field)).firstChild;
  const range = document.createRange();
  range.setStart(node, start); range.setEnd(node, end);
  getSelection().removeAllRanges(); getSelection().addRange(range);
  node.parentElement.dispatchEvent(new MouseEvent("click", {bubbles: true}));
}"""


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield opened
        opened.close()


def opened(browser: Browser, url: str) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(SLOW_MS)
    page.route(lambda url: "127.0.0.1" not in url, lambda route: route.abort())
    page.goto(url)
    return page


def units(text: str) -> int:
    """How many a browser counts."""
    return len(text.encode("utf-16-le")) // 2


def test_marked_parts_come_back_in_characters_of_the_text(browser: Browser, argilla: ArgillaProcess) -> None:
    backend = argilla.backend
    spans = Question("parts", "Which parts are personal?", QuestionKind.SPAN, ("PII", "claim"))
    mia = Teammate("mia")
    task = TaskSpec(f"spans-{new_id()}", "spans", "", (spans,), 1, (mia,))
    filled_in = {"start": TEXT.index("ann@"), "end": len(TEXT), "label": "claim"}
    item = Item("a", [{"role": "user", "content": LONG}], TEXT, {"parts": [filled_in]}, suggested_by="m1")
    ref = backend.publish(task, [item], lambda _sent: None).ref

    page = opened(browser, backend.enter_url(mia, "spans", ref))
    expect(page.get_by_text("Call 5551234 now").first).to_be_visible(timeout=SLOW_MS)
    assert page.title() != "owned" and page.locator("img[src=x], img[src*='192.0.2.1']").count() == 0
    field = page.locator("p", has_text="Call 5551234 now").first
    assert field.evaluate("node => node.childNodes.length") == 1
    assert field.evaluate("node => node.firstChild.textContent") == TEXT

    page.get_by_text("PII", exact=True).first.click()
    at = TEXT.index("5551234")
    page.evaluate(MARK, ["Call 5551234", units(TEXT[:at]), units(TEXT[: at + 7])])
    with page.expect_response(lambda answer: "/responses" in answer.url and answer.request.method == "POST") as sent:
        page.get_by_role("button", name="Submit").first.click()
    assert sent.value.ok

    [answer] = backend.answers(ref)
    marked = sorted(answer.values["parts"], key=lambda each: each["start"])
    assert marked == [{"start": at, "end": at + 7, "label": "PII"}, filled_in]

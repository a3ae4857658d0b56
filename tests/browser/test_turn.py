"""One shortened turn of the loop by hand: every step in the browser, two teammates in the real Argilla web UI."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlencode

import httpx
import pytest
from huggingface_hub import InferenceClient
from openai import OpenAI
from playwright.sync_api import BrowserContext, Locator, Page, expect

from studio.demo.sample import ALIAS, PROJECT
from studio.demo.tickets import as_json, prompt, tickets, truth
from tests.browser.conftest import SAMPLE_CALLS, click_for, confirm_dialog, go_to, open_dialog, settled, submit
from tests.fakes.studio_process import RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.argilla, pytest.mark.timeout(900)]
JOB_MS = 240_000
EXAMPLES = 2
Open = Callable[[], Page]


def test_a_founder_takes_the_sample_project_round_the_loop_once(
    signed_in: Page, open_window: Open, studio_server: RunningStudio
) -> None:
    page = signed_in
    links = [invite(page, name) for name in ("mia", "noah")]
    capture(page)
    freeze(page, "Version 1")
    label(page, open_window, links)
    freeze(page, "Version 2")
    train(page)
    evaluate(page)
    key = make_key(page)
    deploy(page, studio_server, key)
    improve(page, studio_server, key)


def invite(page: Page, name: str) -> str:
    go_to(page, "Settings")
    page.get_by_role("button", name="Invite").click()
    page.get_by_label("Username").fill(name)
    page.get_by_text("Labeler", exact=True).click()
    page.get_by_role("button", name="Create sign-in link").click()
    link = page.locator(".st-key-shown_once code").inner_text()
    page.get_by_role("button", name="I have copied it").click()
    return link


def capture(page: Page) -> None:
    go_to(page, "Settings")
    page.get_by_role("tab", name="Projects").click()  # there it is whatever other tests left behind
    page.get_by_role("button", name="Load the sample project").click()
    expect(page.get_by_test_id("stSidebar").get_by_role("combobox", name="Project")).to_have_value(PROJECT)
    go_to(page, "Capture")
    counted = re.compile(rf"(?<!\d){SAMPLE_CALLS}\s*calls")
    expect(page.get_by_test_id("stMain")).to_contain_text(counted, timeout=JOB_MS)
    settled(page)
    open_first_call(page)
    primary(page, "Add to dataset").click()
    page.get_by_role("dialog").get_by_role("button", name="Add calls").click()
    expect(page.get_by_test_id("stMain")).to_contain_text("examples in", timeout=JOB_MS)


def open_first_call(page: Page) -> None:
    expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=JOB_MS)  # the job's panel is gone
    settled(page)
    drawer = open_dialog(page, page.get_by_role("table", name="Captured calls").locator("tbody tr").first)
    expect(drawer).to_contain_text("Triage the ticket as JSON.")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def freeze(page: Page, version: str) -> None:
    go_to(page, "Curate")
    primary(page, "Freeze version").click()
    page.get_by_role("tab", name="Versions").click()
    expect(page.get_by_test_id("stMain")).to_contain_text(version, timeout=JOB_MS)
    settled(page)


def label(page: Page, open_window: Open, links: list[str]) -> None:
    go_to(page, "Label")
    primary(page, "Send to teammates").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("tab", name="Which examples").click()
    dialog.get_by_label("How many").fill(str(EXAMPLES))
    dialog.get_by_label("How many").press("Tab")
    expect(dialog).to_contain_text(f"{EXAMPLES} examples will be sent")
    dialog.get_by_role("button", name="Send").click()
    expect(page.get_by_role("link", name="Open Argilla")).to_be_visible(timeout=JOB_MS)
    for link in links:
        answer_in_argilla(open_window(), link)
    page.reload()
    settled(page)
    expect(page.get_by_test_id("stMain")).to_contain_text(f"{EXAMPLES} of {EXAMPLES} examples have", timeout=JOB_MS)
    page.get_by_role("button", name="Apply answers").click()
    expect(page.get_by_test_id("stMain")).to_contain_text("Answers applied")


def answer_in_argilla(page: Page, link: str) -> None:
    """A careful teammate: confirms what is right and corrects what is not."""
    page.goto(link)
    page.get_by_role("button", name="Continue").click()
    settled(page)
    page.goto(f"/label?{urlencode({'project': PROJECT})}")  # there may be other projects
    settled(page)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open Argilla").click()
    argilla = opened.value
    keep_inside(argilla.context)
    argilla.set_default_timeout(60_000)
    shown = ""
    for _ in range(EXAMPLES):
        shown = next_record(argilla, shown)
        right = as_json(truth(shown))
        is_right = argilla.locator("[contenteditable=true]").first.inner_text().strip() == right
        submit(argilla, "correct" if is_right else "wrong", "" if is_right else right)
    argilla.close()


def next_record(argilla: Page, shown: str) -> str:
    """The text of the record after the one that was shown, once it has slid in and stands still."""
    conversation = argilla.locator(".chat").first
    for _ in range(300):
        expect(argilla.get_by_text("Is the answer correct?")).to_be_visible(timeout=60_000)
        found = conversation.inner_text()
        argilla.wait_for_timeout(200)
        if found != shown and conversation.inner_text() == found:
            return found
    raise AssertionError("Argilla shows no next record.")


def keep_inside(context: BrowserContext) -> None:
    """Argilla asks for a font from outside; the machine may have no way there."""
    context.route(lambda url: "127.0.0.1" not in url, lambda route: route.abort())


def train(page: Page) -> None:
    go_to(page, "Train")
    page.get_by_role("button", name="Build the tiny base model").click()
    expect(primary(page, "Train")).to_be_enabled(timeout=JOB_MS)
    page.get_by_test_id("stMain").get_by_text("quick", exact=True).click()
    settled(page)
    primary(page, "Train").click()
    expect(page).to_have_url(re.compile("run="))
    expect(page.get_by_test_id("stMain")).to_contain_text("Wholly right", timeout=JOB_MS)
    expect(page.get_by_test_id("stMain")).to_contain_text("succeeded", timeout=JOB_MS)


def evaluate(page: Page) -> None:
    go_to(page, "Evaluate")
    primary(page, "Compare").click()
    expect(page.locator(".st-key-verdict")).to_contain_text(re.compile("beats|No difference"), timeout=JOB_MS)
    expect(page.locator(".st-key-verdict")).to_contain_text(f"n={EXAMPLES}")
    settled(page)


def make_key(page: Page) -> str:
    go_to(page, "Settings")
    page.get_by_role("tab", name="API keys").click()
    page.get_by_role("button", name="Create key").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("support tool")
    page.get_by_role("dialog").get_by_role("button", name="Create key").click()
    secret = page.locator(".st-key-shown_once code").inner_text()
    page.get_by_role("button", name="I have copied it").click()
    return secret


def deploy(page: Page, studio: RunningStudio, key: str) -> None:
    go_to(page, "Deploy")
    main = page.get_by_test_id("stMain")
    expect(main).to_contain_text("sample-teacher · 100 %")
    open_dialog(page, primary(page, "Deploy model"))
    confirm_dialog(page, "Deploy")
    expect(primary(page, "Shadow 20 %")).to_be_visible(timeout=JOB_MS)
    expect(main).to_contain_text("golden answers are the tuned model's")
    for step in ("Shadow 20 %", "Promote to 5 %", "Promote to 50 %", "Promote to 100 %"):
        take_step(page, step)
    expect(main).to_contain_text("sample-teacher · standby")
    click_for(page, page.get_by_role("button", name="Undo"), "sample-teacher · 50 %")
    take_step(page, "Promote to 100 %")
    expect(main).to_contain_text("sample-teacher · standby")
    both_clients_get_answers(studio, key)


def take_step(page: Page, name: str) -> None:
    """The primary button, and the dialog that asks once more."""
    open_dialog(page, primary(page, name))
    confirm_dialog(page, name)
    expect(primary(page, name)).to_have_count(0)


def both_clients_get_answers(studio: RunningStudio, key: str) -> None:
    messages = prompt(tickets(1, seed=5)[0].text)
    client = OpenAI(base_url=f"{studio.settings.gateway_url}/v1", api_key=key)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:  # the gateway reads the routes once a second
        answer = client.chat.completions.create(model=ALIAS, messages=messages, temperature=0)  # type: ignore[arg-type]
        with suppress(AttributeError):
            if answer.choices[0].message.content:
                break
    assert answer.model == ALIAS and answer.choices[0].message.content
    hub = InferenceClient(base_url=studio.settings.gateway_url, api_key=key)
    assert hub.chat_completion(messages, model=ALIAS, temperature=0, max_tokens=48).choices[0].message.content


def improve(page: Page, studio: RunningStudio, key: str) -> None:
    give_feedback(studio, key)
    go_to(page, "Improve")
    start = primary(page, "Start next turn")
    expect(start).to_be_enabled(timeout=JOB_MS)
    start.click()
    page.get_by_role("tab", name="Turns").click()
    expect(page.get_by_test_id("stMain")).to_contain_text("Turn 1", timeout=JOB_MS)


def give_feedback(studio: RunningStudio, key: str) -> None:
    web = httpx.Client(base_url=studio.settings.gateway_url, headers={"authorization": f"Bearer {key}"})
    for ticket in tickets(6, seed=6):
        body = {"model": ALIAS, "messages": prompt(ticket.text), "temperature": 0, "max_tokens": 48}
        answer = web.post("/v1/chat/completions", json=body, timeout=60)
        uid = answer.raise_for_status().headers["x-whetstone-log-id"]
        given = {"uid": uid, "kind": "correction", "text": as_json(ticket.triage)}
        web.post("/v1/feedback", json=given).raise_for_status()


def primary(page: Page, name: str) -> Locator:
    return page.locator(".st-key-primary").get_by_role("button", name=name, exact=True)

"""The shell in a real browser: in by the form or a link, around, and out again."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched, go_to, settled, sign_in
from tests.fakes.studio_process import RunningStudio

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_sign_in_look_around_make_a_project_and_a_key_and_sign_out(
    browser_page: Page, studio_server: RunningStudio
) -> None:
    page = browser_page
    sign_in(page, studio_server)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    go_to(page, "Settings")
    page.get_by_role("tab", name="Projects").click()
    page.get_by_role("button", name="New project").click()
    page.get_by_label("Name").fill("Contracts")
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_test_id("stSidebar").get_by_role("combobox", name="Project")).to_have_value("Contracts")
    page.get_by_role("tab", name="API keys").click()
    page.get_by_role("button", name="Create key").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("checkout")
    page.get_by_role("dialog").get_by_role("button", name="Create key").click()
    shown = page.locator(".st-key-shown_once code")
    expect(shown).to_contain_text(re.compile(r"wk-[\w-]{43}"))
    page.get_by_role("button", name="I have copied it").click()
    expect(shown).to_have_count(0)
    go_to(page, "Home")
    expect(page.get_by_text("Connect your feature")).to_be_visible()
    page.get_by_test_id("stSidebar").get_by_role("button", name="admin · admin").click()
    page.get_by_text("Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/settings")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_deep_link_survives_the_sign_in(browser_page: Page, studio_server: RunningStudio) -> None:
    sign_in(browser_page, studio_server, "/settings?tab=Health")
    expect(browser_page.get_by_role("tab", name="Health", selected=True)).to_be_visible()
    expect(browser_page.locator(".st-key-h_Gateway")).to_contain_text("up")
    expect(browser_page.locator(".st-key-h_Worker")).to_contain_text("Runs on this host")


def test_a_wrong_password_is_told_and_changes_nothing(browser_page: Page, watched: Watched) -> None:
    page = browser_page
    watched.allowed.append("HTTP 401")
    page.goto("/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Wrong username or password.")
    assert page.context.cookies() == [] or {cookie["name"] for cookie in page.context.cookies()} == {"whetstone_csrf"}


def test_an_invited_labeler_comes_in_by_link_once_and_sees_their_two_pages(
    signed_in: Page, open_window: Callable[[], Page]
) -> None:
    page = signed_in
    go_to(page, "Settings")
    page.get_by_role("button", name="Invite").click()
    page.get_by_label("Username").fill("lena")
    page.get_by_text("Labeler", exact=True).click()
    page.get_by_role("button", name="Create sign-in link").click()
    link = page.locator(".st-key-shown_once code").inner_text()
    page.get_by_role("button", name="I have copied it").click()
    lena = open_window()
    lena.goto(link)
    lena.get_by_role("button", name="Continue").click()
    settled(lena)
    links = lena.get_by_test_id("stSidebarNav").get_by_role("link")
    expect(links).to_have_count(2)
    expect(links.nth(0)).to_contain_text("Label")
    expect(links.nth(1)).to_contain_text("Review")
    again = open_window()
    again.goto(link)
    answer = httpx.post(link.split("?")[0], data={"token": link.split("=")[1], "csrf": "x"})
    assert answer.status_code == 403


def test_scripts_cannot_read_the_cookie_and_fonts_are_our_own(signed_in: Page) -> None:
    assert "whetstone_session" not in signed_in.evaluate("document.cookie")
    urls = signed_in.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")
    host = signed_in.evaluate("location.origin")
    assert [url for url in urls if not url.startswith((host, "data:", "blob:"))] == []
    assert any(url.endswith("inter-latin-wght-normal.woff2") for url in urls)
    assert signed_in.evaluate("document.fonts.check('14px Inter')")

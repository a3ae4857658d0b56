"""The sign-in pages: forms that expire, links that work once, no guessing, no leaving the site."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from storage.database import Database
from studio.access.actor import Actor
from studio.access.people import People
from studio.access.secrets import SecretBox
from studio.settings import Settings
from studio.ui.gate import COOKIE
from studio.ui.sign_in import Attempts, SignInPages, safe_next

PASSWORD = "a long enough one"


@pytest.fixture
def people(database: Database, settings: Settings) -> People:
    made = People(database, SecretBox(settings.secrets))
    made.create(Actor.operator(), "ana", PASSWORD, "editor")
    return made


@pytest.fixture
def client(people: People) -> Iterator[TestClient]:
    app = Starlette(routes=SignInPages(people, secure=False).routes())
    with TestClient(app, follow_redirects=False) as client:
        yield client


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def sign_in(client: TestClient, password: str = PASSWORD, next: str = "/", username: str = "ana") -> object:
    csrf = csrf_of(client.get("/auth/login").text)
    form = {"username": username, "password": password, "next": next, "csrf": csrf}
    return client.post("/auth/login", data=form)


def test_the_right_password_sets_a_cookie_scripts_cannot_read(client: TestClient, people: People) -> None:
    answer = sign_in(client, next="/capture?q=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/capture?q=x")
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(COOKIE))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie
    actor = people.actor_for(client.cookies[COOKIE])
    assert actor and actor.username == "ana"


def test_a_wrong_password_and_an_unknown_name_look_the_same(client: TestClient) -> None:
    wrong, unknown = sign_in(client, "wrong password"), sign_in(client, username="nobody")
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    same = [re.sub(r'value="[^"]*"', "", answer.text) for answer in (wrong, unknown)]
    assert same[0] == same[1] and "Wrong username or password" in same[0]
    assert COOKIE not in client.cookies


def test_a_form_from_another_site_is_refused(client: TestClient) -> None:
    client.get("/auth/login")
    for csrf in ("", "guessed"):
        form = {"username": "ana", "password": PASSWORD, "csrf": csrf}
        assert client.post("/auth/login", data=form).status_code == 403
    client.cookies.clear()
    form = {"username": "ana", "password": PASSWORD, "csrf": ""}
    assert client.post("/auth/login", data=form).status_code == 403


def test_after_eight_wrong_passwords_even_the_right_one_has_to_wait(client: TestClient) -> None:
    for _ in range(8):
        assert sign_in(client, "wrong password").status_code == 401
    assert sign_in(client).status_code == 429
    assert sign_in(client, username="bob").status_code == 401


def test_attempts_are_forgotten_after_the_window_and_do_not_pile_up() -> None:
    attempts = Attempts(tries=2, window_s=0.0)
    for _ in range(5):
        attempts.failed("ana")
    assert not attempts.exhausted("ana")
    for number in range(10_050):
        attempts.failed(f"name {number}")
    assert len(attempts._failed) == 10_000


OFF_SITE = ("https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "/\t/evil")
NOWHERE = ("", None, "x", "/\n", "/auth/logout", "/auth/link?token=x")


@pytest.mark.parametrize("wanted", [*OFF_SITE, *NOWHERE])
def test_signing_in_never_leads_off_the_site(wanted: str | None) -> None:
    assert safe_next(wanted) == "/"


def test_deep_links_are_kept() -> None:
    assert safe_next("/train?run=01&x=//y") == "/train?run=01&x=//y"


def test_a_link_signs_in_once_and_only_after_pressing_the_button(client: TestClient, people: People) -> None:
    link = people.invite(Actor.operator(), "bob", "labeler")
    for _preview in range(3):
        page = client.get("/auth/link", params={"token": link})
        assert page.status_code == 200 and COOKIE not in client.cookies
    answer = client.post("/auth/link", data={"token": link, "csrf": csrf_of(page.text)})
    assert answer.status_code == 303
    actor = people.actor_for(client.cookies[COOKIE])
    assert actor and actor.username == "bob"
    client.cookies.clear()
    again = client.get("/auth/link", params={"token": link})
    answer = client.post("/auth/link", data={"token": link, "csrf": csrf_of(again.text)})
    assert answer.status_code == 403 and "already used" in answer.text and COOKIE not in client.cookies


def test_a_link_page_shows_what_is_in_its_address_as_text_only(client: TestClient) -> None:
    page = client.get("/auth/link", params={"token": '"><script>alert(1)</script>'})
    assert "<script>" not in page.text
    assert page.headers["referrer-policy"] == "no-referrer" and page.headers["cache-control"] == "no-store"


def test_signing_out_ends_the_sign_in_and_only_from_the_app_itself(client: TestClient, people: People) -> None:
    sign_in(client)
    token = client.cookies[COOKIE]
    for headers in ({}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        assert client.post("/auth/logout", headers=headers).status_code == 403
    assert people.actor_for(token)
    assert client.post("/auth/logout", headers={"sec-fetch-site": "same-origin"}).status_code == 303
    assert people.actor_for(token) is None and COOKIE not in client.cookies

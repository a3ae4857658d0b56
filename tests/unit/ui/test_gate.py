"""The gate: nothing passes without a sign-in, and nobody can pretend to be somebody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from storage.database import Database
from studio.access.actor import Actor
from studio.access.people import People
from studio.access.secrets import SecretBox
from studio.settings import Settings
from studio.ui.gate import COOKIE, AuthGate, is_open

PASSWORD = "a long enough one"
SPOOFED = {"x-whetstone-user": "admin", "X-Whetstone-Person": "1", "x-whetstone-anything": "x"}


async def echo(request: Request) -> Response:
    """Every trusted header the app was given."""
    return JSONResponse({k: v for k, v in request.headers.items() if k.startswith("x-whetstone-")})


async def echo_socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_json({k: v for k, v in socket.headers.items() if k.startswith("x-whetstone-")})
    await socket.close()


@pytest.fixture
def people(database: Database, settings: Settings) -> People:
    return People(database, SecretBox(settings.secrets))


@pytest.fixture
def client(people: People) -> Iterator[TestClient]:
    app = Starlette(routes=[WebSocketRoute("/_stcore/stream", echo_socket), Route("/{rest:path}", echo)])
    with TestClient(AuthGate(app, people), follow_redirects=False) as client:
        yield client


@pytest.fixture
def ana(people: People, client: TestClient) -> Actor:
    people.create(Actor.operator(), "ana", PASSWORD, "viewer")
    token = people.sign_in("ana", PASSWORD)
    assert token
    client.cookies.set(COOKIE, token)
    actor = people.actor_for(token)
    assert actor
    return actor


@pytest.mark.parametrize(
    "path", ["/", "/curate", "/media/x", "/_stcore/upload_file/1/2", "/_stcore/metrics", "/upload"]
)
def test_without_a_sign_in_nothing_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 401
    assert client.post(path).status_code == 401


def test_a_page_sends_to_the_sign_in_and_keeps_the_deep_link(client: TestClient) -> None:
    answer = client.get("/capture?q=refund&project=support", headers={"accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/auth/login?next=%2Fcapture%3Fq%3Drefund%26project%3Dsupport"


@pytest.mark.parametrize(("role", "own"), [("viewer", "/home"), ("admin", "/home"), ("labeler", "/label")])
def test_a_deep_link_to_the_first_page_of_a_role_is_served_at_the_root(
    client: TestClient, people: People, role: str, own: str
) -> None:
    people.create(Actor.operator(), "lee", PASSWORD, role)
    client.cookies.set(COOKIE, people.sign_in("lee", PASSWORD) or "")
    answer = client.get(f"{own}?project=support")
    assert (answer.status_code, answer.headers["location"]) == (307, "/?project=support")
    assert client.get("/review").status_code == 200


@pytest.mark.parametrize("cookie", ["", "x", "a" * 43, '"; drop table person'])
def test_a_wrong_cookie_is_no_sign_in(client: TestClient, cookie: str) -> None:
    assert client.get("/", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 401


def test_a_websocket_without_a_sign_in_is_refused_even_with_spoofed_headers(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/_stcore/stream", headers=SPOOFED):
        pass
    assert refused.value.code == 4401


def test_spoofed_headers_are_replaced_by_the_true_person(client: TestClient, ana: Actor) -> None:
    true = {"x-whetstone-user": "ana", "x-whetstone-person": ana.person_id}
    assert client.get("/", headers=SPOOFED).json() == true
    with client.websocket_connect("/_stcore/stream", headers=SPOOFED) as socket:
        assert socket.receive_json() == true


@pytest.mark.parametrize("path", ["/health", "/_stcore/health", "/app/static/font.woff2", "/auth/login"])
def test_open_paths_are_served_to_everybody_without_trusted_headers(client: TestClient, path: str) -> None:
    assert client.get(path, headers=SPOOFED).json() == {}


@pytest.mark.parametrize(
    "path", ["/healthx", "/auth/", "/auth/other", "/static/../media/x", "/app/staticx", "//health"]
)
def test_paths_that_only_look_open_are_not(path: str) -> None:
    assert not is_open(path)


def test_a_revoked_sign_in_is_refused_at_the_next_request(client: TestClient, ana: Actor, people: People) -> None:
    assert client.get("/").status_code == 200
    people.deactivate(Actor.operator(), str(ana.person_id))
    assert client.get("/").status_code == 401


def test_answers_forbid_remote_pictures_framing_and_sniffing(client: TestClient, ana: Actor) -> None:
    headers = client.get("/").headers
    assert "img-src 'self' data: blob:" in headers["content-security-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"

"""The Test button says what is wrong with an Argilla server."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from studio.errors import Unavailable
from studio.label import argilla_rest
from studio.label.argilla_backend import ArgillaBackend, test_connection

OWNER = {"username": "ada", "role": "owner"}
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that says these things on /version and /me; a number is a status."""
    servers: list[ThreadingHTTPServer] = []

    def start(version: Any, me: Any = 401) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = me if self.path.endswith("/me") else version
                if isinstance(said, int):
                    self.send_response(said)
                    self.end_headers()
                    return
                self.send_response(200)
                self.end_headers()
                self.wfile.write(said.encode() if isinstance(said, str) else json.dumps(said).encode())

            def log_message(self, *_parts: object) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("version", "me", "ok", "says"),
    [
        ({"version": "2.8.0"}, OWNER, True, "Argilla 2.8.0 answers"),
        ({"version": "3.0.1dev"}, OWNER, True, "3.0.1dev"),
        ({"version": "2.7.1"}, OWNER, False, "needs 2.8 or newer"),
        ({"version": "2.8.0"}, 401, False, "does not know this API key"),
        ({"version": "2.8.0"}, {"username": "bob", "role": "admin"}, False, r"bob \(admin\)'s.*owner's"),
        ({"status": "ok"}, OWNER, False, "is not Argilla"),
        (["2.8.0"], OWNER, False, "is not Argilla"),
        (404, OWNER, False, "is not Argilla"),
        (503, OWNER, False, "status 503"),
    ],
)
def test_the_answer_names_what_is_wrong(serve: Serve, version: Any, me: Any, ok: bool, says: str) -> None:
    health = test_connection(f" {serve(version, me)}/ ", " key ")
    assert health.ok is ok
    with pytest.raises(Unavailable, match=says):
        raise Unavailable(health.text)


@pytest.mark.parametrize("url", ["", "argilla.example.com", "ftp://x", "http://", "http://[::1", "http://a b:x"])
def test_what_is_no_address_is_said_without_asking(url: str) -> None:
    health = test_connection(url, "key")
    assert not health.ok and ("no address" in health.text or "does not answer" in health.text)


def test_a_page_that_is_not_json_is_not_argilla(serve: Serve) -> None:
    assert "is not Argilla" in test_connection(serve("<h1>Welcome</h1>"), "key").text


def test_a_server_without_a_key_and_one_that_is_not_there(serve: Serve) -> None:
    assert "has no key" in test_connection(serve({"version": "2.8.0"}), "").text
    assert "does not answer" in test_connection("http://127.0.0.1:9", "key").text
    assert "no key of Argilla" in test_connection("http://127.0.0.1:9", "schlüssel").text


def test_a_server_that_never_answers_is_given_up_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = httpx.Timeout(0.3)
    monkeypatch.setattr(argilla_rest, "QUICK", quick)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "does not answer" in test_connection(url, "key").text
        backend = ArgillaBackend(url, "key", "secret")
        backend.rest.client.timeout = quick
        with pytest.raises(Unavailable, match="does not answer"):
            list(backend.answers("any"))

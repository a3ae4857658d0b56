"""How the adapter behaves against a small HTTP server: errors become sentences, text is escaped."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from studio.errors import Conflict, InvalidInput, NotFound, StudioError, Unavailable
from studio.label.argilla_backend import ArgillaBackend, connect
from studio.label.argilla_rest import ArgillaRest
from studio.label.backend import Teammate
from studio.label.catalog import labeling_backend
from studio.settings import Settings


class Answers(BaseHTTPRequestHandler):
    """Answers /status/<n> with that status, records in pages of what was asked for."""

    def do_GET(self) -> None:
        path, _question, query = self.path.partition("?")
        if "/records" in path:
            asked = dict(each.split("=") for each in query.split("&"))
            start, total = int(asked["offset"]), 1201
            items = [{"id": at} for at in range(start, min(start + int(asked["limit"]), total))]
            return self._say(200, {"items": items, "total": total})
        return self._say(int(path.rsplit("/", 1)[-1]), {"detail": "because"})

    def _say(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_parts: object) -> None:
        """Quiet."""


@pytest.fixture
def rest() -> Iterator[ArgillaRest]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = ArgillaRest(f"http://127.0.0.1:{server.server_port}", {}, trust_env=False)
    yield made
    made.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, Unavailable), (403, Unavailable), (404, NotFound), (409, Conflict), (422, InvalidInput), (500, Unavailable)],
)
def test_every_refusal_becomes_a_sentence(rest: ArgillaRest, status: int, error: type[StudioError]) -> None:
    with pytest.raises(error, match="Argilla"):
        rest.get(f"/status/{status}")


def test_every_page_of_records_is_read_once(rest: ArgillaRest) -> None:
    assert [each["id"] for each in rest.records("any")] == list(range(1201))


def test_an_argilla_that_is_not_there_is_unavailable_and_unhealthy(settings: Settings) -> None:
    backend = ArgillaBackend("http://127.0.0.1:9", "key", "secret")
    with pytest.raises(Unavailable, match="does not answer"):
        list(backend.answers("any"))
    assert not backend.health().ok and "may still be starting" in backend.health().text
    assert not connect(settings.model_copy(update={"argilla_port": 9})).health().ok


def test_an_external_argilla_is_opened_by_a_plain_link_and_never_impersonated() -> None:
    backend = ArgillaBackend("https://argilla.example.com/", "key")
    assert backend.enter_url(Teammate("mia"), "ws", "7").startswith("https://argilla.example.com/dataset/7/")
    with pytest.raises(Unavailable, match="embedded"):
        backend.answer_as("7", "mia", {"a": {}})


def test_the_settings_choose_the_external_one(settings: Settings) -> None:
    external = settings.model_copy(update={"argilla_url": "https://argilla.example.com", "argilla_api_key": "k"})
    assert isinstance(labeling_backend(external), ArgillaBackend)
    with pytest.raises(NotFound, match="paper"):
        labeling_backend(settings, "paper")

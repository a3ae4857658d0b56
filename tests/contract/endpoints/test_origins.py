"""Whatever a caller sends, only configured origins are contacted, and each gets its own key alone."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.slow

ASKED: dict[str, dict[str, Any]] = {
    "chat/completions": {"model": "gpt", "messages": [{"role": "user", "content": "Hi"}]},
    "completions": {"model": "gpt", "prompt": "Hi"},
    "embeddings": {"model": "gpt", "input": "Hi"},
    "responses": {"model": "gpt", "input": "Hi"},
    "messages": {"model": "claude", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]},
}
FIELDS = ("api_base", "base_url", "custom_host", "target_url", "api_key")
WHERE = (
    lambda inner: inner,
    lambda inner: {"extra_body": inner},
    lambda inner: {"metadata": inner, "store": True},
    lambda inner: {"user_config": {"model_list": [{"litellm_params": inner}]}},
    lambda inner: {"extra_body": {"extra_body": {"config": [inner, {"options": inner}]}}},
    lambda inner: {"fallbacks": [inner], "context_window_fallbacks": [{"gpt": [inner]}]},
    lambda inner: {"parameters": {"provider": inner}, "litellm_params": inner, "headers": inner},
)
HEADERS = [
    "x-portkey-custom-host",
    "helicone-target-url",
    "helicone-openai-api-base",
    "x-api-base",
    "x-forwarded-host",
    "x-original-url",
    "x-litellm-api-base",
    "x-base-url",
    "forwarded",
]


class Trap:
    """A place that must never be contacted: it counts who comes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.came = 0
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.came += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(30)


@pytest.fixture
def trap() -> Iterator[Trap]:
    made = Trap()
    yield made
    made.close()


@pytest.mark.parametrize("path", list(ASKED))
def test_nothing_but_the_configured_origin_is_ever_contacted(place: Any, trap: Trap, path: str) -> None:
    url = f"http://127.0.0.1:{trap.port}/v1"
    inner = dict.fromkeys(FIELDS, url)
    head = {"authorization": f"Bearer {place.secret}", **dict.fromkeys(HEADERS, url)}
    with httpx.Client(base_url=f"{place.url}/v1", headers=head, timeout=60) as web:
        for wrapped in WHERE:
            answer = web.post(path, json={**ASKED[path], **wrapped(inner)})
            got = place.got
            assert answer.status_code == 200 and got.path == f"/v1/{path}"
            assert str(trap.port) not in json.dumps(got.body) and str(trap.port) not in json.dumps(got.headers)
            assert place.secret not in json.dumps(got.headers) + got.raw.decode()
            _has_own_key_alone(got.headers, path)
    assert trap.came == 0


def _has_own_key_alone(headers: dict[str, str], path: str) -> None:
    keys = {name: headers[name] for name in ("authorization", "x-api-key") if name in headers}
    own = {"x-api-key": "sk-ant-0123456789abcdefghij"} if path == "messages" else {}
    assert keys == (own or {"authorization": "Bearer sk-openai-0123456789abcdefghij"})


def test_a_picture_in_a_request_is_never_fetched(place: Any, trap: Trap) -> None:
    url = f"http://127.0.0.1:{trap.port}/x.png"
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": url}]
    body = {"model": "gpt", "messages": [{"role": "user", "content": parts}]}
    head = {"authorization": f"Bearer {place.secret}"}
    assert httpx.post(f"{place.url}/v1/chat/completions", json=body, headers=head).status_code == 200
    assert place.got.body == body and trap.came == 0

"""Signed tickets, and the door from the studio to Argilla."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from studio.label.tickets import access_token, ticket
from studio.ui.argilla_door import as_seen_from


def opened(token: str, key: str) -> dict[str, Any]:
    body, _dot, signature = token.rpartition(".")
    digest = hmac.digest(key.encode(), body.encode(), hashlib.sha256)
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == signature
    payload = body.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def test_a_ticket_lasts_a_minute_and_no_two_are_the_same() -> None:
    claims, other = opened(ticket("key", "mia"), "key"), opened(ticket("key", "mia"), "key")
    assert claims["username"] == "mia" and claims["aud"] == "whetstone-ticket"
    assert 55 < claims["exp"] - time.time() <= 60
    assert claims["jti"] != other["jti"]


def test_an_access_token_carries_no_audience_so_it_is_no_ticket() -> None:
    assert set(opened(access_token("key", "mia"), "key")) == {"username", "exp"}


@pytest.mark.parametrize(
    ("url", "host", "seen"),
    [
        ("http://127.0.0.1:6900/a?b=c", "studio.lan", "http://studio.lan:6900/a?b=c"),
        ("http://127.0.0.1:6900/a", "127.0.0.1", "http://127.0.0.1:6900/a"),
        ("http://127.0.0.1:6900/a", "localhost", "http://127.0.0.1:6900/a"),
        ("http://127.0.0.1:6900/a", "fd00::1", "http://[fd00::1]:6900/a"),
        ("https://argilla.example.com/a", "studio.lan", "https://argilla.example.com/a"),
    ],
)
def test_the_embedded_argilla_is_reached_under_the_studios_own_name(url: str, host: str, seen: str) -> None:
    assert as_seen_from(url, host) == seen

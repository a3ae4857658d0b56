"""Tokens signed with the key that the studio shares with the embedded Argilla (JSON Web Tokens, HMAC-SHA256)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

TICKET_AUDIENCE = "whetstone-ticket"
TICKET_SECONDS = 60
TOKEN_SECONDS = 600


def ticket(key: str, username: str, seconds: int = TICKET_SECONDS) -> str:
    """A one-time ticket that the embedded Argilla exchanges for a signed-in browser."""
    claims = {"username": username, "aud": TICKET_AUDIENCE, "jti": secrets.token_hex(16)}
    return _signed(key, claims, seconds)


def access_token(key: str, username: str, seconds: int = TOKEN_SECONDS) -> str:
    """Argilla's own kind of token, to call its API in this person's name."""
    return _signed(key, {"username": username}, seconds)


def _signed(key: str, claims: dict[str, Any], seconds: int) -> str:
    head = _encode({"alg": "HS256", "typ": "JWT"})
    body = f"{head}.{_encode({**claims, 'exp': int(time.time()) + seconds})}"
    return f"{body}.{_base64(hmac.digest(key.encode(), body.encode(), hashlib.sha256))}"


def _encode(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

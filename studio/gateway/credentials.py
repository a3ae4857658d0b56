"""Where callers put their API key: as OpenAI's, Anthropic's, Helicone's, Portkey's and Langfuse's clients do."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from studio.gateway.errors import wrong_key
from studio.gateway.http import Request

OURS = "wk-"
KEY_HEADERS = (b"x-api-key", b"x-portkey-api-key")


def secret_of(request: Request) -> str:
    """The key that the caller shows; where several headers hold one, the one that is ours. Raises ApiError 401."""
    scheme, _, secret = request.header(b"authorization").partition(" ")
    secret = secret.strip()
    if secret.startswith(OURS) and scheme.lower() == "bearer":
        return secret
    shown = [found for found in _shown(request, scheme.lower(), secret) if found]
    if not shown:
        raise wrong_key()
    return next((found for found in shown if found.startswith(OURS)), shown[0])


def _shown(request: Request, scheme: str, secret: str) -> Iterator[str]:
    if scheme == "bearer":
        yield secret
    for name in KEY_HEADERS:
        yield request.header(name).strip()
    yield request.header(b"helicone-auth").strip().rpartition(" ")[2]
    if scheme == "basic":
        yield from _name_and_password(secret)


def _name_and_password(encoded: str) -> tuple[str, ...]:
    """Langfuse's clients show a public and a secret key; ours may be either."""
    try:
        decoded = base64.b64decode(encoded, validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ()
    name, _, password = decoded.partition(":")
    return password, name

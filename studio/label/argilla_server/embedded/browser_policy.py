"""What a browser may do on Argilla's pages.

Argilla 2.8.0 renders the text of chat fields as HTML. The studio escapes what it sends, and this policy holds for what
anybody else sends: no event handlers in markup, nothing loaded from or sent to another host, framed by the studio only.
"""

from __future__ import annotations

import os
import re
from typing import Any

POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; script-src-attr 'none'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
HOST = re.compile(r"^([A-Za-z0-9.-]+)(:\d+)?$")  # a policy cannot name IPv6 addresses
LOOPBACK = ("127.0.0.1", "localhost")
ADDRESS = re.compile(r"^https?://[^\s;,'\"/]+")


class BrowserPolicy:
    """Adds the headers to every response that lacks them."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _value in message.get("headers", [])}
                added = [each for each in (*HEADERS, policy_for(scope)) if each[0] not in present]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        return await self.app(scope, receive, with_headers)


def policy_for(scope: dict[str, Any]) -> tuple[bytes, bytes]:
    """The policy, with the studio as the only other page that may frame this one."""
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    return b"content-security-policy", " ".join([POLICY, *studio_origins(host)]).encode("latin-1")


def studio_origins(host: str) -> list[str]:
    """Where the studio is: at its public address, and at its own port under the name this server is reached by."""
    address, port = ADDRESS.match(os.environ.get("STUDIO_WEB_ADDRESS", "")), os.environ.get("STUDIO_WEB_PORT", "")
    named = HOST.match(host) if port.isdigit() else None
    names = () if named is None else LOOPBACK if named[1] in LOOPBACK else (named[1],)
    found = [address[0]] if address else []
    return found + [f"{scheme}://{name}:{port}" for name in names for scheme in ("http", "https")]

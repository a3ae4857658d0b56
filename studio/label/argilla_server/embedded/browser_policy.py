"""What a browser may do on Argilla's pages.

Argilla 2.8.0 renders the text of chat fields as HTML. The studio escapes what it sends, and this policy holds for what
anybody else sends: no event handlers in markup, nothing loaded from or sent to another host, no framing by others.
"""

from __future__ import annotations

from typing import Any

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; script-src-attr 'none'; object-src 'none'; "
        b"base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


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
                added = [each for each in HEADERS if each[0] not in present]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        return await self.app(scope, receive, with_headers)

"""Sign-in hand-over: the studio has signed the person in, so Argilla asks for no second sign-in.

The studio signs a one-time ticket with the key both share; the browser opens `/studio/enter?ticket=...&to=/dataset/...`
on Argilla's origin; the page puts Argilla's own token where Argilla's web UI keeps it and goes on. An ASGI wrapper:
argilla-server itself is untouched.
"""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs

from jose import JWTError, jwt

from .database import SERVICE_USER

AUDIENCE = "whetstone-ticket"
SIGNED_IN_SECONDS = 86400
HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
]
ENTER = """<!doctype html><title>Signing in</title><script>
const s = %s;
localStorage.setItem("auth.strategy", "local");
localStorage.setItem("auth._token.local", s.token);
localStorage.setItem("auth._token_expiration.local", s.expires);
location.replace(s.to);
</script>"""
REFUSED = (
    "<!doctype html><title>Link expired</title>"
    "<p>This link was used already or has expired. Go back to the studio and press Open Argilla again.</p>"
)


class Handover:
    """Answers `/studio/enter`; hands everything else to argilla-server."""

    def __init__(self, app: Any, secret: str, base: str = "") -> None:
        self.app, self.secret, self.base = app, secret, base.rstrip("/")
        self.used: dict[str, float] = {}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http" and scope["path"] == f"{self.base}/studio/enter":
            await self._enter(scope, send)
        else:
            await self.app(scope, receive, send)

    async def _enter(self, scope: dict[str, Any], send: Any) -> None:
        asked = parse_qs(scope["query_string"].decode())
        try:
            username = self._redeem(asked.get("ticket", [""])[0])
        except JWTError:
            await _respond(send, 403, REFUSED)
            return
        await _respond(send, 200, ENTER % _script_json(self._signed_in(username, asked.get("to", ["/"])[0])))

    def _redeem(self, ticket: str) -> str:
        """Who the ticket signs in; every ticket works once."""
        claims = jwt.decode(ticket, self.secret, algorithms=["HS256"], audience=AUDIENCE)
        if claims.get("aud") != AUDIENCE or not claims.get("jti") or claims.get("username") in (None, SERVICE_USER):
            raise JWTError("not a ticket")
        now = time.time()
        self.used = {ticket_id: expires for ticket_id, expires in self.used.items() if expires > now}
        if claims["jti"] in self.used:
            raise JWTError("used")
        self.used[claims["jti"]] = claims["exp"]
        return str(claims["username"])

    def _signed_in(self, username: str, to: str) -> dict[str, str]:
        expires = int(time.time()) + SIGNED_IN_SECONDS
        token = jwt.encode({"username": username, "exp": expires}, self.secret, "HS256")
        return {"token": f"Bearer {token}", "expires": str(expires * 1000), "to": self.base + _own_path(to)}


def _own_path(to: str) -> str:
    """Only a path on this origin; anything else goes to the start page."""
    plain = to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isprintable()
    return to if plain else "/"


def _script_json(value: dict[str, str]) -> str:
    return json.dumps(value).replace("<", "\\u003c")


async def _respond(send: Any, status: int, page: str) -> None:
    body = page.encode()
    headers = [*HEADERS, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

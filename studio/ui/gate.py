"""AuthGate: nothing of the app is served to a browser that is not signed in, over HTTP or WebSocket."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.access.actor import Actor
from studio.access.people import People
from studio.ui.navigation import pages_for

COOKIE = "whetstone_session"
HEADERS = b"x-whetstone-"
OPEN_PATHS = frozenset({"/auth/login", "/auth/link", "/auth/logout", "/health", "/_stcore/health", "/favicon.png"})
OPEN_FOLDERS = ("/app/static/", "/static/")
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    # No remote pictures or fonts, whatever a captured text says: a tracking pixel has nowhere to go.
    (
        b"content-security-policy",
        b"img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; "
        b"base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
    ),
)


class AuthGate:
    """Pure ASGI: Starlette's BaseHTTPMiddleware never sees WebSockets."""

    def __init__(self, app: ASGIApp, people: People) -> None:
        self.app = app
        self.people = people

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, with headers the app may trust, or turn it away."""
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = [(name, value) for name, value in scope["headers"] if not name.lower().startswith(HEADERS)]
        scope = {**scope, "headers": headers}
        send = _with_security_headers(send)
        if scope["type"] == "http" and is_open(scope["path"]):
            return await self.app(scope, receive, send)
        actor = await run_in_threadpool(self.people.actor_for, cookie_in(headers))
        if actor is None:
            return await _turn_away(scope, receive, send)
        if scope["type"] == "http" and scope["path"].strip("/") == pages_for(actor.role)[0].name:
            return await _to_front_page(scope, receive, send)
        headers += trusted_headers(actor)
        return await self.app(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether a path is served to everybody: the sign-in itself, health, and the shipped files."""
    return path in OPEN_PATHS or (path.startswith(OPEN_FOLDERS) and ".." not in path)


def cookie_in(headers: list[tuple[bytes, bytes]]) -> str:
    """The sign-in cookie among the headers, or an empty string."""
    for name, value in headers:
        if name == b"cookie":
            try:
                cookies = SimpleCookie(value.decode("latin-1"))
            except CookieError:
                continue
            if COOKIE in cookies:
                return cookies[COOKIE].value
    return ""


def trusted_headers(actor: Actor) -> list[tuple[bytes, bytes]]:
    """What Streamlit binds a live session to, so that a second person cannot resume it."""
    person = (actor.person_id or "").encode()
    return [(HEADERS + b"user", actor.username.encode("latin-1")), (HEADERS + b"person", person)]


async def _to_front_page(scope: Scope, receive: Receive, send: Send) -> None:
    """Streamlit serves a role's first page at `/` only, and calls its own name an unknown page."""
    query = scope["query_string"].decode("latin-1")
    await RedirectResponse("/" + (f"?{query}" if query else ""), 307)(scope, receive, send)


async def _turn_away(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        return await send({"type": "websocket.close", "code": 4401})
    wants_page = b"text/html" in dict(scope["headers"]).get(b"accept", b"")
    if scope["method"] == "GET" and wants_page:
        query = scope["query_string"].decode("latin-1")
        here = scope["path"] + (f"?{query}" if query else "")
        return await RedirectResponse("/auth/login?next=" + quote(here, safe=""), 303)(scope, receive, send)
    return await PlainTextResponse("Sign in first.", 401)(scope, receive, send)


def _with_security_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", [])}
            added = [(name, value) for name, value in SECURITY_HEADERS if name not in present]
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return wrapped

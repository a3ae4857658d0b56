"""The sign-in routes: a plain form that password managers understand, one-time links, sign-out."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from studio.access.people import SIGN_IN_LASTS, People
from studio.ui.gate import COOKIE

CSRF = "whetstone_csrf"
TRIES, WINDOW_S, REMEMBERED = 8, 300.0, 10_000
PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
Handler = Callable[[Request], Awaitable[Response]]


class Attempts:
    """Counts failed sign-ins per address and name, and says when it is enough."""

    def __init__(self, tries: int = TRIES, window_s: float = WINDOW_S) -> None:
        self.tries, self.window_s = tries, window_s
        self._failed: dict[str, deque[float]] = {}

    def exhausted(self, who: str) -> bool:
        """Whether this one has to wait."""
        times, oldest = self._failed.get(who, deque()), time.monotonic() - self.window_s
        while times and times[0] < oldest:
            times.popleft()
        return len(times) >= self.tries

    def failed(self, who: str) -> None:
        """Note a failure; the longest unseen are forgotten first, so memory stays bounded."""
        self._failed[who] = times = self._failed.pop(who, deque())
        times.append(time.monotonic())
        if len(self._failed) > REMEMBERED:
            self._failed.pop(next(iter(self._failed)))


class SignInPages:
    """/auth/login, /auth/link and /auth/logout."""

    def __init__(self, people: People, secure: bool) -> None:
        self.people, self.secure = people, secure
        self.attempts = Attempts()

    def routes(self) -> list[Route]:
        """The routes to put before the app's."""
        return [
            Route("/auth/login", self.form, methods=["GET"]),
            Route("/auth/login", self.login, methods=["POST"]),
            Route("/auth/link", self.link_page, methods=["GET"]),
            Route("/auth/link", self.use_link, methods=["POST"]),
            Route("/auth/logout", self.logout, methods=["POST"]),
        ]

    async def form(self, request: Request) -> Response:
        """The empty form."""
        return self._page("sign_in.html", next=safe_next(request.query_params.get("next")))

    async def login(self, request: Request) -> Response:
        """Check the form; a wrong name and a wrong password look and last the same."""
        form = await request.form(max_files=0, max_fields=10, max_part_size=4096)
        goal, username = safe_next(form.get("next")), str(form.get("username", "")).strip()
        if not _csrf_matches(request, form.get("csrf")):
            return self._page("sign_in.html", 403, next=goal, error="This form has expired. Try again.")
        who = f"{request.client.host if request.client else ''}|{username[:60]}"
        if self.attempts.exhausted(who):
            return self._page("sign_in.html", 429, next=goal, error="Too many attempts. Wait five minutes.")
        token = await run_in_threadpool(self.people.sign_in, username, str(form.get("password", "")))
        if token is None:
            self.attempts.failed(who)
            return self._page("sign_in.html", 401, next=goal, error="Wrong username or password.")
        return self._signed_in(request, token, goal)

    async def link_page(self, request: Request) -> Response:
        """A page with one button: programs that preview links do not press it, so they do not use the link up."""
        return self._page("link.html", token=request.query_params.get("token", ""))

    async def use_link(self, request: Request) -> Response:
        """Sign in with a one-time link."""
        form = await request.form(max_files=0, max_fields=10, max_part_size=4096)
        link = str(form.get("token", ""))
        if not _csrf_matches(request, form.get("csrf")):
            return self._page("link.html", 403, token=link, error="This page has expired. Try again.")
        token = await run_in_threadpool(self.people.redeem, link)
        if token is None:
            gone = "This link was already used or is too old. Ask an admin for a new one."
            return self._page("link.html", 403, token="", error=gone)
        return self._signed_in(request, token, "/")

    async def logout(self, request: Request) -> Response:
        """End this browser's sign-in."""
        if not same_origin(request):
            return PlainTextResponse("Sign out from the app itself.", 403)
        await run_in_threadpool(self.people.sign_out, request.cookies.get(COOKIE, ""))
        response = RedirectResponse("/auth/login", 303)
        response.delete_cookie(COOKIE)
        return response

    def _signed_in(self, request: Request, token: str, goal: str) -> Response:
        response = RedirectResponse(goal, 303)
        secure = self.secure or request.url.scheme == "https"
        lasts = int(SIGN_IN_LASTS.total_seconds())
        response.set_cookie(COOKIE, token, max_age=lasts, httponly=True, samesite="lax", secure=secure)
        response.delete_cookie(CSRF)
        return response

    def _page(self, name: str, status: int = 200, **facts: str) -> Response:
        csrf = secrets.token_urlsafe(24)
        response = HTMLResponse(PAGES.get_template(name).render(csrf=csrf, **facts), status, headers=PAGE_HEADERS)
        response.set_cookie(CSRF, csrf, max_age=3600, httponly=True, samesite="strict", secure=self.secure)
        return response


def safe_next(wanted: object) -> str:
    """Where to go after signing in: a path of this app, whatever the address asked for."""
    if not isinstance(wanted, str) or not wanted.startswith("/") or wanted.startswith("//"):
        return "/"
    if "\\" in wanted or any(ord(character) < 32 for character in wanted):
        return "/"
    parts = urlsplit(wanted)
    return "/" if parts.scheme or parts.netloc or wanted.startswith("/auth/") else wanted


def same_origin(request: Request) -> bool:
    """Whether the app's own page sent this request; old browsers without either header are turned away."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.headers.get("host", "")


def _csrf_matches(request: Request, sent: object) -> bool:
    kept = request.cookies.get(CSRF, "")
    return bool(kept) and isinstance(sent, str) and hmac.compare_digest(sent.encode(), kept.encode())

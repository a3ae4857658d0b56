"""`/label/open?task=...`: from a signed-in studio to a signed-in Argilla, in a new tab, whenever it is clicked."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from studio.bootstrap import Studio
from studio.errors import StudioError
from studio.ui.gate import cookie_in

PATH = "/label/open"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
UNSTORED = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


def door(task_id: str) -> str:
    """The address of the door, for links and frames: each visit gets a fresh ticket, so a reload works too."""
    return f"{PATH}?{urlencode({'task': task_id})}"


class ArgillaDoor:
    """Makes a fresh one-time ticket per click, so that the link on the page never goes stale."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def routes(self) -> list[Route]:
        """The one route; the gate in front has turned away whoever is not signed in."""
        return [Route(PATH, self.open, methods=["GET"])]

    async def open(self, request: Request) -> Response:
        """Send the browser on, or say in a sentence why not."""
        try:
            url = await run_in_threadpool(self._url, cookie_in(request.scope["headers"]), request)
        except StudioError as error:
            return PlainTextResponse(error.message, 409, headers=UNSTORED)
        return RedirectResponse(url, 303, headers=UNSTORED)

    def _url(self, cookie: str, request: Request) -> str:
        actor = self.studio.people.actor_for(cookie)
        if actor is None:
            return "/auth/login"
        url = self.studio.labeling.enter_url(actor, request.query_params.get("task", ""))
        return as_seen_from(url, request.url.hostname or "")


def as_seen_from(url: str, host: str) -> str:
    """The embedded Argilla under the name by which the browser reached the studio."""
    parts = urlsplit(url)
    if parts.hostname not in LOOPBACK or not host or host in LOOPBACK:
        return url
    name = f"[{host}]" if ":" in host else host
    return urlunsplit(parts._replace(netloc=f"{name}:{parts.port}" if parts.port else name))

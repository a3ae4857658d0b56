"""Argilla's REST API: the few calls we make, with every failure turned into a StudioError here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx

from studio.errors import Conflict, InvalidInput, NotFound, StudioError, Unavailable

PAGE = 500
TIMEOUT = httpx.Timeout(60, connect=5)
QUICK = httpx.Timeout(5)
"""For questions a page waits on: a server that is slow counts as one that does not answer."""
LONGEST_LISTING_S = 600.0


class ArgillaRest:
    """A connection with one key (or one person's token)."""

    def __init__(self, url: str, headers: dict[str, str], *, trust_env: bool) -> None:
        self.url = url.rstrip("/")
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT, trust_env=trust_env)

    def get(self, path: str, **params: Any) -> Any:
        """GET and parse."""
        return self._call("GET", f"/api/v1{path}", params=params)

    def quick(self, path: str) -> Any:
        """GET and parse, giving up after five seconds."""
        return self._call("GET", f"/api/v1{path}", timeout=QUICK)

    def ours(self, path: str, **params: Any) -> Any:
        """GET and parse one of the embedded server's own additions."""
        return self._call("GET", f"/studio{path}", params=params)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """POST, PUT, PATCH or DELETE and parse."""
        return self._call(method, f"/api/v1{path}", json=body)

    def records(self, ref: str, include: str = "") -> Iterator[dict[str, Any]]:
        """Every record of a dataset, page by page. Raises Unavailable where that takes too long altogether."""
        params = {"include": include} if include else {}
        seen, deadline = 0, time.monotonic() + LONGEST_LISTING_S
        while True:
            page = self.get(f"/datasets/{ref}/records", offset=seen, limit=PAGE, **params)
            yield from page["items"]
            seen += len(page["items"])
            if not page["items"] or seen >= page["total"]:
                return
            if time.monotonic() > deadline:
                raise Unavailable(f"Argilla at {self.url} is too slow to list everything. Try again later.")

    def our_pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Everything one of the embedded server's additions has to say, page by page."""
        after: dict[str, str] = {}
        while True:
            page = self.ours(path, **params, **after)
            yield from page["items"]
            if not page["after"]:
                return
            after = {"after": page["after"]}

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = self.client.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise unreachable(self.url) from error
        if answer.is_success:
            return _parsed(answer)
        raise _refused(answer)


class Unreachable(Unavailable):
    """The server does not answer; it may soon."""


def unreachable(url: str) -> Unreachable:
    """The error for an Argilla that does not answer."""
    return Unreachable(f"Argilla at {url} does not answer. It may still be starting: wait a minute, then try again.")


def _parsed(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError as error:
        raise Unavailable(f"What answers at {answer.url.host} is not Argilla. Check STUDIO_ARGILLA_URL.") from error


def _refused(answer: httpx.Response) -> StudioError:
    said = _detail(answer)
    if answer.status_code in (401, 403):
        return Unavailable(f"Argilla refused the studio's key ({said}). Check STUDIO_ARGILLA_API_KEY.")
    if answer.status_code == 404:
        return NotFound(f"Argilla does not have this any more ({said}).")
    if answer.status_code == 409:
        return Conflict(f"Argilla already has this ({said}).")
    if answer.status_code in (400, 422):
        return InvalidInput(f"Argilla did not accept this: {said}.")
    kind = Unreachable if answer.status_code in (502, 503, 504) else Unavailable
    return kind(f"Argilla failed with status {answer.status_code}. See its log, then try again.")


def _detail(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail", answer.text)
    except (ValueError, AttributeError):
        detail = answer.text
    return str(detail)[:300]

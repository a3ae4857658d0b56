"""One HTTP client for every company: tries again where that is safe, and says errors in sentences. Keys stay out."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx

from studio.access.origins import origin_of
from studio.errors import Conflict, InvalidInput, NotFound, StudioError, Unavailable

TRIES, LONGEST_WAIT_S, SAID_AT_MOST = 4, 30.0, 500
SAFE = frozenset({"GET", "PUT", "DELETE"})
Signer = Callable[[httpx.Request], None]
"""Adds what proves who asks, just before a request leaves."""


class Lost(Unavailable):
    """The company's answer was lost on the way, so nobody knows whether it did what was asked. Try again."""


class Busy(Unavailable):
    """The company asks us to wait. Try again in a while."""

    def __init__(self, message: str, wait_s: float) -> None:
        self.wait_s = wait_s
        super().__init__(message)


def bearer(key: str) -> Signer:
    """Sign by the `Authorization: Bearer` header."""

    def sign(request: httpx.Request) -> None:
        request.headers["Authorization"] = f"Bearer {key}"

    return sign


@cache
def _tls() -> ssl.SSLContext:
    """The certificates that are trusted, read once: it takes a tenth of a second."""
    return httpx.create_ssl_context()


@dataclass
class Api:
    """A company's API under `url`."""

    company: str
    url: str
    sign: Signer = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """What must never appear in a message, even when the company repeats it."""
    timeout_s: float = 120.0
    tries: int = TRIES
    """How often at most, where asking again is safe."""
    enter_it: str = "Enter it again under Settings, Compute."
    """Where a refused key is corrected."""
    sleep: Callable[[float], None] = time.sleep
    client: httpx.Client = field(default_factory=lambda: httpx.Client(verify=_tls(), follow_redirects=False))

    def get(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """GET a JSON object."""
        return self._json(self.send("GET", path, params=params))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """POST `json=` or `files=`/`data=`; a JSON object, empty where the answer is."""
        return self._json(self.send("POST", path, **body))

    def send(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Send one request; a busy or failing company is asked again, where asking twice cannot do a thing twice."""
        for attempt in range(1, self.tries + 1):
            try:
                answer = self._sent(method, path, **given)
            except httpx.HTTPError as error:
                if method not in SAFE or attempt == self.tries:
                    raise self._lost(error) from error
                self.sleep(min(2.0**attempt, LONGEST_WAIT_S))
                continue
            wait = retry_after(answer)
            again = answer.status_code == 429 or (answer.status_code >= 500 and method in SAFE)
            if not again or attempt == self.tries or (wait or 0) > LONGEST_WAIT_S:
                return self._checked(answer)
            self.sleep(min(2.0**attempt, LONGEST_WAIT_S) if wait is None else wait)
        raise AssertionError("unreachable: the last try returns or raises")

    def _sent(self, method: str, path: str, **given: Any) -> httpx.Response:
        _rewind(given)
        address = path if path.startswith(("http://", "https://")) else self.url.rstrip("/") + path
        request = self.client.build_request(method, address, timeout=self.timeout_s, **given)
        if origin_of(address) == origin_of(self.url):
            self.sign(request)  # a key proves who asks to its own company, and to nobody else
        return self.client.send(request)

    def _lost(self, error: httpx.HTTPError) -> Unavailable:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unavailable(f"{self.company} does not answer at {self.url}. Check the address and the network.")
        return Lost(
            f"The connection to {self.company} broke ({type(error).__name__}). Nothing is known yet; try again."
        )

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            return answer
        raise self._error(answer.status_code, self._said(answer), retry_after(answer))

    def _error(self, code: int, said: str, wait: float | None) -> StudioError:
        company = self.company
        if code == 401 or (code == 403 and not said):
            return Unavailable(f"{company} refused the key (HTTP {code}). {self.enter_it}")
        if code == 403:
            return Unavailable(f"{company} does not allow this with the saved key: {said}")
        if code == 402:
            return Unavailable(f"{company} wants to be paid first: {said or 'add credit to the account'}")
        if code == 404:
            return NotFound(f"{company} does not know this: {said or 'not found'}")
        if code == 409:
            return Conflict(f"{company} has this already or is not ready for it: {said or 'conflict'}")
        if code == 429:
            return Busy(f"{company} asks us to wait: {said or 'too many requests'}", wait or 60.0)
        if code >= 500:
            return Lost(f"{company} has trouble of its own (HTTP {code}). Try again in a few minutes. {said}".strip())
        return InvalidInput(f"{company} refused this (HTTP {code}): {said or 'no reason given'}")

    def _json(self, answer: httpx.Response) -> dict[str, Any]:
        if not answer.content.strip():
            return {}
        try:
            found = answer.json()
        except ValueError as error:
            raise Unavailable(f"{self.company} did not answer with JSON at {self.url}. Check the address.") from error
        return found if isinstance(found, dict) else {"data": found}

    def _said(self, answer: httpx.Response) -> str:
        text = _message(answer)
        for secret in self.secrets:
            text = text.replace(secret, "…") if secret else text
        return " ".join(text.split())[:SAID_AT_MOST]


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the answer asks us to wait; dates count as nothing said."""
    try:
        return max(0.0, float(answer.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _message(answer: httpx.Response) -> str:
    """The sentence inside the error, whatever shape the company gives it."""
    try:
        found = answer.json()
    except ValueError:
        inside = re.search(r"<Message>(.*?)</Message>", answer.text, re.DOTALL)  # S3 speaks XML
        plain = "" if "<" in answer.text[:1] else answer.text
        return (inside.group(1) if inside else plain)[:SAID_AT_MOST]
    if not isinstance(found, dict):
        return ""
    error = found.get("error")
    inner = error if isinstance(error, dict) else found
    return str(inner.get("message") or inner.get("Message") or inner.get("detail") or error or "")


def _rewind(given: dict[str, Any]) -> None:
    """Uploads start from the file's beginning, also the second time."""
    for value in [given.get("content"), *(part[1] for part in (given.get("files") or {}).values())]:
        if hasattr(value, "seek"):
            value.seek(0)

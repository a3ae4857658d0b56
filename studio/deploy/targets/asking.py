"""Questions to a server that somebody else runs, and what its silence, refusals and oddities mean in our words."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import orjson

from studio.access.origins import origin_of
from studio.errors import Conflict, Unavailable

ASK_S = 5.0
SHOWN = 300
LARGEST = 4 << 20


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    text: str
    kind: str = ""
    """Its content type."""

    @property
    def ok(self) -> bool:
        """Whether it was a success."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body, None if it is not JSON."""
        try:
            return orjson.loads(self.text)
        except orjson.JSONDecodeError:
            return None

    def said(self) -> str:
        """The server's own words about an error, whatever shape it gave them."""
        found = self.json()
        if isinstance(found, dict):
            inner = found.get("error", found)
            inner = inner.get("message", inner.get("detail", "")) if isinstance(inner, dict) else inner
            return str(inner)[:SHOWN]
        return "a web page" if "html" in self.kind else self.text.strip()[:SHOWN]


@dataclass(frozen=True)
class Asker:
    """A server by its root address. Its key goes to that origin only: redirects are refused, not followed."""

    url: str
    key: str = field(default="", repr=False)
    timeout_s: float = ASK_S

    def get(self, path: str, keyless: bool = False) -> Answer:
        """GET. Raises Unavailable for silence and redirects."""
        return self._send("GET", path, keyless=keyless)

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        """POST a JSON body. Raises Unavailable for silence and redirects."""
        return self._send("POST", path, json=body)

    def models(self, keyless: bool = False) -> dict[str, dict[str, Any]]:
        """The models it lists, by name. Raises Unavailable or Conflict saying why there is no such list."""
        answer = checked(self.get("/v1/models", keyless), self.url)
        found = answer.json()
        rows = found.get("data") if isinstance(found, dict) else None
        if not isinstance(rows, list):
            raise Unavailable(f"{self.url} does not list its models: it answered with {answer.said() or 'nothing'}.")
        return {str(row["id"]): row for row in rows if isinstance(row, dict) and "id" in row}

    def _send(self, method: str, path: str, keyless: bool = False, **given: Any) -> Answer:
        headers = {"authorization": f"Bearer {self.key}"} if self.key and not keyless else {}
        try:
            with (
                httpx.Client(verify=_tls(), timeout=self.timeout_s, follow_redirects=False, trust_env=False) as client,
                client.stream(method, f"{self.url}{path}", headers=headers, **given) as reply,
            ):
                return self._read(reply)
        except httpx.TimeoutException as error:
            raise Silent(
                f"{self.url} did not answer within {self.timeout_s:g} s. Check that it is not busy."
            ) from error
        except httpx.ConnectError as error:
            raise NobodyThere(
                f"Nothing answers at {self.url} ({error}). Check the address and that it runs."
            ) from error
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise Unavailable(f"{self.url} broke off ({why}). Check the address and look into its log.") from error

    def _read(self, reply: httpx.Response) -> Answer:
        if reply.is_redirect:
            raise Unavailable(self._redirected(str(reply.headers.get("location", ""))))
        body = b""
        for piece in reply.iter_bytes():
            body += piece
            if len(body) > LARGEST:
                raise Unavailable(f"{self.url} sends more than a model server would. Check the address.")
        return Answer(reply.status_code, body.decode(errors="replace"), reply.headers.get("content-type", ""))

    def _redirected(self, location: str) -> str:
        inside = location.startswith("/") or origin_of(location) == origin_of(self.url)
        where = "another path" if inside else (location[:SHOWN] or "nowhere")
        return f"{self.url} redirects to {where}. A key is never sent on: enter the address that answers itself."


@cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates takes longer than most questions do."""
    return httpx.create_ssl_context()


class NobodyThere(Unavailable):
    """No server listens at the address."""


class Silent(Unavailable):
    """The server took the request and did not answer in time."""


def checked(answer: Answer, url: str) -> Answer:
    """A successful JSON answer. Raises Conflict for a refused key, else Unavailable."""
    if answer.status in (401, 403):
        raise Conflict(f"{url} refused the key (HTTP {answer.status}). Enter the key it was started with.")
    if not answer.ok:
        said = f": {answer.said()}" if answer.said() else ""
        raise Unavailable(f"{url} answered HTTP {answer.status}{said}.")
    if answer.json() is None:
        raise Unavailable(f"{url} answered with {answer.said() or 'nothing'} instead of JSON. Check the address.")
    return answer

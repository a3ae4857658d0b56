"""Argilla as the labeling platform: REST makes tasks and reads answers, tickets sign people in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from studio.errors import NotFound, StudioError, Unavailable
from studio.label import argilla_answers, argilla_dataset, argilla_health
from studio.label import argilla_people as people
from studio.label.argilla_dataset import ANSWER, ASKED_OF, EVERYBODY
from studio.label.argilla_health import test_connection
from studio.label.argilla_publish import Publisher, plain_name
from studio.label.argilla_rest import ArgillaRest
from studio.label.argilla_suggestions import spans_for_browser
from studio.label.argilla_text import plain
from studio.label.backend import Answer, Health, Item, Published, TaskSpec, Teammate
from studio.label.tickets import access_token, ticket
from studio.settings import Settings

__all__ = ["ArgillaBackend", "connect", "test_connection"]
RESPONSES_AT_ONCE = 100
FORGOTTEN_AT_ONCE = 100
LONGEST_EMBEDDED, LONGEST_ELSEWHERE = 1_000_000, 20_000
"""Characters of one message; the embedded server is started with the larger limit."""


def connect(settings: Settings) -> ArgillaBackend:
    """The Argilla of these settings: an external one when its URL is given, else the embedded one."""
    if settings.argilla_url:
        return ArgillaBackend(settings.argilla_url, settings.argilla_api_key)
    home = settings.argilla_home
    url = f"http://127.0.0.1:{settings.argilla_port}"
    try:
        return ArgillaBackend(url, (home / "api_key").read_text(), (home / "secret_key").read_text())
    except FileNotFoundError:
        return ArgillaBackend(url, "")


class ArgillaBackend:
    """One Argilla server. With `shared_secret` (the embedded one) people are made and signed in by us."""

    def __init__(self, url: str, api_key: str, shared_secret: str = "") -> None:
        self.url, self.api_key, self.shared_secret = url.rstrip("/"), api_key.strip(), shared_secret.strip()
        trust_env = not shared_secret  # no proxy between us and our own server
        self.rest = ArgillaRest(self.url, {"X-Argilla-Api-Key": self.api_key}, trust_env=trust_env)

    @property
    def embedded(self) -> bool:
        """Whether this is our own server."""
        return bool(self.shared_secret)

    def publish(self, spec: TaskSpec, items: Iterable[Item], on_sent: Callable[[int], None]) -> Published:
        """Make workspace, people and dataset, then add the items that are not there yet."""
        workspace = people.workspace_id(self.rest, spec.workspace)
        for teammate in spec.people if self.embedded else ():
            people.admit(self.rest, teammate, workspace)
        ref = self._dataset(workspace, spec.key)
        there = self._records(ref) if ref else {}
        ref = ref or argilla_dataset.create(self.rest, workspace, spec)
        if not self.embedded:
            argilla_dataset.ensure_property(self.rest, ref, ASKED_OF, shown=True)
        longest = LONGEST_EMBEDDED if self.embedded else LONGEST_ELSEWHERE
        publisher = Publisher(self.rest, ref, spec, embedded=self.embedded, longest_message=longest)
        missing = (item for item in items if item.key not in there)
        added = publisher.add(missing, lambda sent: on_sent(len(there) + sent))
        return Published(ref, {**there, **added})

    def answers(self, ref: str, since: datetime | None = None) -> Iterator[Answer]:
        """The responses, without those that cannot have changed since then."""
        return argilla_answers.changed(self.rest, ref, since, embedded=self.embedded)

    def forget(self, ref: str, record_ids: list[str]) -> int:
        """Delete the records; Argilla deletes their responses and suggestions with them."""
        for start in range(0, len(record_ids), FORGOTTEN_AT_ONCE):
            some = ",".join(record_ids[start : start + FORGOTTEN_AT_ONCE])
            self.rest.send("DELETE", f"/datasets/{ref}/records?ids={some}")
        return len(record_ids)

    def set_guidelines(self, ref: str, text: str) -> None:
        """Put the text in place of the dataset's guidelines."""
        try:
            self.rest.send("PATCH", f"/datasets/{ref}", {"guidelines": argilla_dataset.guidelines(text)})
        except NotFound as error:
            raise NotFound(argilla_answers.GONE) from error

    def enter_url(self, teammate: Teammate, workspace: str, ref: str) -> str:
        """The task's page; on the embedded server through a ticket that works once, within a minute."""
        page = f"/dataset/{ref}/annotation-mode?page=1&status=pending"
        if not self.embedded:
            return self.url + page + self._only_mine(teammate, ref)
        people.admit(self.rest, teammate, people.workspace_id(self.rest, workspace))
        asked = urlencode({"ticket": ticket(self.shared_secret, teammate.username), "to": page})
        return f"{self.url}/studio/enter?{asked}"

    def answer_as(self, ref: str, username: str, answers: Mapping[str, dict[str, Any]]) -> int:
        """Submit through the API with a token of this person."""
        if not self.embedded:
            raise Unavailable("Answers in a person's name need the embedded Argilla.")
        records, spans = self._records(ref), self._span_questions(ref)
        texts = self._texts(ref) if any(spans & values.keys() for values in answers.values()) else {}
        bearer = {"Authorization": f"Bearer {access_token(self.shared_secret, username)}"}
        mine = ArgillaRest(self.url, bearer, trust_env=False)
        waiting = iter([_response(records[key], values, spans, texts.get(key, "")) for key, values in answers.items()])
        while batch := list(islice(waiting, RESPONSES_AT_ONCE)):
            _refuse_partial(mine.send("POST", "/me/responses/bulk", {"items": batch}))
        mine.close()
        return len(answers)

    def health(self) -> Health:
        """Whether this server can be worked with; takes seconds at most."""
        return argilla_health.check(self.rest, self.api_key)

    def _dataset(self, workspace: str, name: str) -> str | None:
        """The id of the task's dataset; one that a crash left half made is removed."""
        for found in self.rest.get("/me/datasets", workspace_id=workspace)["items"]:
            if found["name"] == name and found["status"] == "ready":
                return str(found["id"])
            if found["name"] == name:
                self.rest.send("DELETE", f"/datasets/{found['id']}")
        return None

    def _records(self, ref: str) -> dict[str, str]:
        """Record ids by item key; the embedded server tells them without reading whole records."""
        found = self.rest.our_pages(f"/datasets/{ref}/record-ids") if self.embedded else self.rest.records(ref)
        return {str(record["external_id"]): str(record["id"]) for record in found if record["external_id"]}

    def _span_questions(self, ref: str) -> set[str]:
        questions = self.rest.get(f"/datasets/{ref}/questions")["items"]
        return {each["name"] for each in questions if each["settings"]["type"] == "span"}

    def _texts(self, ref: str) -> dict[str, str]:
        return {str(each["external_id"]): plain(each["fields"][ANSWER]) for each in self.rest.records(ref)}

    def _only_mine(self, teammate: Teammate, ref: str) -> str:
        """Argilla's own engines know no assignment, so there the queue is filtered by the address."""
        try:
            properties = self.rest.quick(f"/me/datasets/{ref}/metadata-properties")["items"]
        except StudioError:
            return ""  # the link is of use once the server is back
        if ASKED_OF not in {each["name"] for each in properties}:
            return ""
        return "&metadata=" + quote(f"{ASKED_OF}.{plain_name(teammate.username)}.{EVERYBODY}")


def _response(record_id: str, values: dict[str, Any], spans: set[str], text: str) -> dict[str, Any]:
    given = {
        name: {"value": spans_for_browser(text, value) if name in spans else value} for name, value in values.items()
    }
    return {"record_id": record_id, "values": given, "status": "submitted"}


def _refuse_partial(done: dict[str, Any]) -> None:
    failed = [each["error"] for each in done["items"] if each.get("error")]
    if failed:
        raise Unavailable(f"Argilla refused {len(failed)} answers. The first: {failed[0].get('detail')}")

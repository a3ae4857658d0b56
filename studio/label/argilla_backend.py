"""Argilla as the labeling platform: the SDK makes tasks, REST reads answers, tickets sign people in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from studio.errors import StudioError, Unavailable
from studio.label import argilla_people as people
from studio.label.argilla_rest import ArgillaRest
from studio.label.backend import Answer, Health, Item, Published, TaskSpec, Teammate
from studio.label.tickets import access_token, ticket
from studio.settings import Settings

RESPONSES_AT_ONCE = 100
CLOCK_DOUBT = timedelta(minutes=2)
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
        self.trust_env = not shared_secret  # no proxy between us and our own server
        self.rest = ArgillaRest(self.url, {"X-Argilla-Api-Key": self.api_key}, trust_env=self.trust_env)

    def publish(self, spec: TaskSpec, items: Iterable[Item], on_sent: Callable[[int], None]) -> Published:
        """Make workspace, people and dataset, then add the items that are not there yet."""
        from studio.label.argilla_publish import Publisher  # the SDK is heavy and only a job needs it

        workspace = people.workspace_id(self.rest, spec.workspace)
        for teammate in spec.people if self.shared_secret else ():
            people.admit(self.rest, teammate, workspace)
        longest = LONGEST_EMBEDDED if self.shared_secret else LONGEST_ELSEWHERE
        publisher = Publisher(self.url, self.api_key, longest_message=longest, trust_env=self.trust_env)
        ref = self._dataset(workspace, spec.key) or publisher.create(spec)
        there = self._records(ref)
        missing = (item for item in items if item.key not in there)
        publisher.add(ref, missing, lambda sent: on_sent(len(there) + sent))
        return Published(ref, self._records(ref))

    def answers(self, ref: str, since: datetime | None = None) -> Iterator[Answer]:
        """Every response, or nothing when the dataset was left alone since then."""
        if since and self._last_activity(ref) < since - CLOCK_DOUBT:
            return
        names = people.usernames(self.rest)
        for record in self.rest.records(ref, include="responses"):
            for response in record.get("responses") or []:
                yield _answer(str(record["external_id"]), names.get(response["user_id"], ""), response)

    def set_guidelines(self, ref: str, text: str) -> None:
        """Put the text in place of the dataset's guidelines."""
        self.rest.send("PATCH", f"/datasets/{ref}", {"guidelines": text})

    def enter_url(self, teammate: Teammate, workspace: str, ref: str) -> str:
        """The task's page; on the embedded server through a ticket that works once, within a minute."""
        page = f"/dataset/{ref}/annotation-mode?page=1&status=pending"
        if not self.shared_secret:
            return self.url + page
        people.admit(self.rest, teammate, people.workspace_id(self.rest, workspace))
        asked = urlencode({"ticket": ticket(self.shared_secret, teammate.username), "to": page})
        return f"{self.url}/studio/enter?{asked}"

    def answer_as(self, ref: str, username: str, answers: Mapping[str, dict[str, Any]]) -> int:
        """Submit through the API with a token of this person."""
        if not self.shared_secret:
            raise Unavailable("Answers in a person's name need the embedded Argilla.")
        records = self._records(ref)
        bearer = {"Authorization": f"Bearer {access_token(self.shared_secret, username)}"}
        mine = ArgillaRest(self.url, bearer, trust_env=False)
        waiting = iter([_response(records[key], values) for key, values in answers.items()])
        while batch := list(islice(waiting, RESPONSES_AT_ONCE)):
            _refuse_partial(mine.send("POST", "/me/responses/bulk", {"items": batch}))
        mine.close()
        return len(answers)

    def health(self) -> Health:
        """Ask for the version."""
        try:
            found = self.rest.get("/version")["version"]
        except StudioError as error:
            return Health(False, error.message)
        if not self.api_key:
            return Health(False, "Argilla answers, but the studio has no key for it. Set STUDIO_ARGILLA_API_KEY.")
        return Health(True, f"Argilla {found} answers")

    def _dataset(self, workspace: str, name: str) -> str | None:
        """The id of the task's dataset; one that a crash left half made is removed."""
        for found in self.rest.get("/me/datasets", workspace_id=workspace)["items"]:
            if found["name"] == name and found["status"] == "ready":
                return str(found["id"])
            if found["name"] == name:
                self.rest.send("DELETE", f"/datasets/{found['id']}")
        return None

    def _records(self, ref: str) -> dict[str, str]:
        return {str(record["external_id"]): str(record["id"]) for record in self.rest.records(ref)}

    def _last_activity(self, ref: str) -> datetime:
        return _moment(self.rest.get(f"/datasets/{ref}")["last_activity_at"])


def _answer(item_key: str, annotator: str, response: dict[str, Any]) -> Answer:
    values = {name: each["value"] for name, each in (response.get("values") or {}).items()}
    return Answer(item_key, annotator, str(response["status"]), values, _moment(response["updated_at"]))


def _response(record_id: str, values: dict[str, Any]) -> dict[str, Any]:
    given = {name: {"value": value} for name, value in values.items()}
    return {"record_id": record_id, "values": given, "status": "submitted"}


def _refuse_partial(done: dict[str, Any]) -> None:
    failed = [each["error"] for each in done["items"] if each.get("error")]
    if failed:
        raise Unavailable(f"Argilla refused {len(failed)} answers. The first: {failed[0].get('detail')}")


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)

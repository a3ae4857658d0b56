"""Langfuse's API under /api/public: scores, and the batches that its older SDKs send. Spans come as OTLP."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import orjson

from studio.capture.feedback import GivenFeedback
from studio.capture.feedback_forms import langfuse
from studio.capture.reported import Reported
from studio.capture.reports.fields import dict_of, text_of
from studio.capture.reports.langfuse import SCORE, TRACE, is_generation, is_over, merged, read_generation
from studio.errors import InvalidInput
from studio.gateway.errors import ApiError
from studio.gateway.http import Request
from studio.gateway.intakes.taking import UNREADABLE, Taking, objects, read_feedback

BASE = "/api/public"
TAKEN, MANY = 201, 207
WAIT_S = 3600.0
MOST_WAITING = 10_000
MOST_BYTES = 64 << 20

log = logging.getLogger(__name__)

Known = dict[str, Any]


class Waiting:
    """What is known of observations and traces that are not over: their events come in several batches.

    Kept in memory, for an hour at most and within 64 MB: a generation whose end never comes is no answer to learn from.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], tuple[float, int, Known]] = OrderedDict()
        self._bytes = 0

    def get(self, project_id: str, name: str) -> Known:
        """What is known."""
        found = self._known.get((project_id, name))
        return found[2] if found else {}

    def put(self, project_id: str, name: str, known: Known) -> None:
        """Remember it; what is oldest gives way."""
        self.drop(project_id, name)
        size = len(orjson.dumps(known))
        self._known[project_id, name] = (time.monotonic(), size, known)
        self._bytes += size
        while self._is_too_much():
            (project, oldest), _ = next(iter(self._known.items()))
            self.drop(project, oldest)

    def drop(self, project_id: str, name: str) -> None:
        """Forget it."""
        if found := self._known.pop((project_id, name), None):
            self._bytes -= found[1]

    def _is_too_much(self) -> bool:
        if len(self._known) > MOST_WAITING or self._bytes > MOST_BYTES:
            return True
        return bool(self._known) and time.monotonic() - next(iter(self._known.values()))[0] > WAIT_S


class TakeScores:
    """POST /api/public/scores: one score, or a list of them."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    async def __call__(self, request: Request) -> None:
        """Take what can be taken, and say what cannot."""
        key = await self._taking.critic(request)
        found = await request.json(self._taking.max_body)
        given: list[GivenFeedback] = []
        errors: list[Known] = []
        for number, score in enumerate(objects(found, "a score")):
            try:
                given += _feedback(score)
            except ApiError as error:
                errors.append({"index": number, "id": score.get("id"), "status": 400, "message": error.message})
        if errors and not isinstance(found, list):
            raise ApiError(400, errors[0]["message"])
        ids = await self._taking.feedback(key, given)
        await request.respond_json(*_said(found, ids, errors))


class TakeIngestion:
    """POST /api/public/ingestion: batches of events."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking
        self._waiting = Waiting()

    async def __call__(self, request: Request) -> None:
        """Take each event; one that cannot be read does not stop the others."""
        key = await self._taking.reporter(request)
        batch = dict_of(await request.json(self._taking.max_body)).get("batch")
        if not isinstance(batch, list):
            raise ApiError(400, "Send a JSON object with the list `batch`.")
        events, ours = objects(batch, "an event"), set[str]()
        errors, given = _Errors(), list[GivenFeedback]()
        for event in events:
            with errors.of(event):
                given += self._take(key.project_id, event, ours)
        await self._taking.record(key, self._calls_over(key.project_id, ours))
        await self._taking.feedback(key, given)
        told = [{"id": text_of(event.get("id")), "status": TAKEN} for event in events if not errors.has(event)]
        await request.respond_json(MANY, {"successes": told, "errors": errors.told})

    def _take(self, project_id: str, event: Known, ours: set[str]) -> list[GivenFeedback]:
        kind, body = event.get("type"), dict_of(event.get("body"))
        if kind == SCORE:
            return _feedback(body)
        name = text_of(body.get("id"))
        if name and (kind == TRACE or is_generation(event)):
            self._waiting.put(project_id, name, merged(self._waiting.get(project_id, name), body))
            if kind != TRACE:
                ours.add(name)
        return []

    def _calls_over(self, project_id: str, names: set[str]) -> Iterator[Reported]:
        """The calls that are over by now. One is forgotten once it is written."""
        for name in sorted(names):
            known = self._waiting.get(project_id, name)
            if not is_over(known):
                continue
            trace = self._waiting.get(project_id, text_of(known.get("traceId")) or "")
            try:
                yield read_generation(known, trace)
            except UNREADABLE as error:
                log.warning("A generation of Langfuse's cannot be read: %s", error)
            self._waiting.drop(project_id, name)


class _Errors:
    """Errors of single events, as Langfuse's clients expect them."""

    def __init__(self) -> None:
        self.told: list[Known] = []
        self._ids: set[int] = set()
        self._event: Known = {}

    def of(self, event: Known) -> _Errors:
        """Note what goes wrong in this block under the event's id."""
        self._event = event
        return self

    def has(self, event: Known) -> bool:
        """Whether the event went wrong."""
        return id(event) in self._ids

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> bool:
        if not isinstance(error, (ApiError, *UNREADABLE)):
            return False
        message = error.message if isinstance(error, ApiError) else f"The event cannot be read: {str(error)[:200]}."
        self._ids.add(id(self._event))
        self.told.append({"id": text_of(self._event.get("id")), "status": 400, "message": message, "error": message})
        return True


class Project:
    """GET /api/public/projects, by which the SDK checks its keys."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    async def __call__(self, request: Request) -> None:
        """The key's project."""
        key = await self._taking.keys.require(request)
        project = {"id": key.project_id, "name": key.project_id, "metadata": {}, "organization": {"id": "", "name": ""}}
        await request.respond_json(200, {"data": [project]})


def _feedback(score: Known) -> list[GivenFeedback]:
    try:
        return [read_feedback(said) for said in langfuse(score)]
    except InvalidInput as error:
        raise ApiError(400, f"This score cannot be taken. {error.message}") from error


def _said(found: Any, ids: list[str], errors: list[Known]) -> tuple[int, Known]:
    if not isinstance(found, list):
        return 200, {"message": "Accepted", "id": text_of(found.get("id")) or ids[0]}
    accepted = len(found) - len(errors)
    if errors:
        return MANY, {"accepted": accepted, "rejected": len(errors), "errors": errors}
    return 200, {"message": "Accepted", "accepted": accepted}

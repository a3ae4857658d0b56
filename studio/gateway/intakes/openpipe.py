"""OpenPipe's API under /api/v1: reports, tags of logged calls, and a plain word where something is not here."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from studio.capture.feedback_forms import openpipe_tags
from studio.capture.reports.openpipe import PREFIXES, read_report
from studio.errors import InvalidInput
from studio.gateway.endpoints.chat import CHAT
from studio.gateway.errors import ApiError
from studio.gateway.http import Request
from studio.gateway.intakes.taking import UNREADABLE, Taking, read_feedback

BASE = "/api/v1"
INSTEAD = {
    "criteria": "Score calls with POST /v1/feedback (kind score or metric), or compare models on the Evaluate page.",
    "datasets": "Make a dataset from captured calls on the Curate page, or import a file there.",
    "models": "Train on the Train page and deploy on the Deploy page; GET /v1/models lists what answers.",
    "check-cache": "Answers are not cached: every call is answered by a model.",
}


class ReportCall:
    """POST /api/v1/report and /report-anthropic."""

    def __init__(self, taking: Taking, endpoint: str = "chat") -> None:
        self._taking = taking
        self._endpoint = endpoint

    async def __call__(self, request: Request) -> None:
        """Record the call."""
        key = await self._taking.reporter(request)
        found = _object(await request.json(self._taking.max_body))
        try:
            call = read_report(found, self._endpoint)
        except UNREADABLE as error:
            raise _bad(f"This report cannot be taken: {str(error)[:200]}.") from error
        if not call.request.get("messages"):
            raise _bad("This report cannot be taken. reqPayload.messages: send the list of messages of the call.")
        _, refused = await self._taking.record(key, [call])
        if refused:
            raise _bad(refused[0])
        await request.respond_json(200, {"status": "ok"})


class UpdateTags:
    """POST /api/v1/logs/update-tags and /logs/update-metadata."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    async def __call__(self, request: Request) -> None:
        """Change the tags of the calls that match, and say how many of them are here already."""
        key = await self._taking.critic(request)
        found = _object(await request.json(self._taking.max_body))
        try:
            given = read_feedback(openpipe_tags(found))
        except InvalidInput as error:
            raise _bad(error.message) from error
        matched = await asyncio.to_thread(self._taking.matches, key.project_id, given)
        await self._taking.feedback(key, [given])
        await request.respond_json(200, {"matchedLogs": matched})


class NotHere:
    """What OpenPipe offers and the studio does elsewhere."""

    def __init__(self, taking: Taking, what: str) -> None:
        self._taking = taking
        self._what = what

    async def __call__(self, request: Request) -> None:
        """Say so, and where it is done."""
        await self._taking.keys.require(request)
        message = f"{self._what} is not here: this gateway takes calls and feedback. {INSTEAD[self._what]}"
        raise ApiError(501, message, code="not_here")


OPENPIPE_CHAT = replace(CHAT, path=f"{BASE}/chat/completions", prefixes=PREFIXES)
"""The same as /v1/chat/completions; `openpipe:` before a model's name says nothing here."""


def _object(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _bad("Send a JSON object.")
    return found


def _bad(message: str) -> ApiError:
    return ApiError(400, message)

"""Helicone: its manual logger, and feedback, scores and properties of a request, named by the id of its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from studio.capture.feedback_forms import helicone_property, helicone_rating, helicone_scores
from studio.capture.reports.helicone import is_call, read_log
from studio.errors import InvalidInput
from studio.gateway.errors import ApiError
from studio.gateway.http import Request
from studio.gateway.intakes.headers import UNRECORDED, vendor_facts
from studio.gateway.intakes.taking import UNREADABLE, Taking, objects, read_feedback

Reads = Callable[[dict[str, Any], str], list[dict[str, Any]]]


class AboutRequest:
    """POST /v1/request/{id}/feedback and /score, PUT /v1/request/{id}/property."""

    def __init__(self, taking: Taking, reads: Reads) -> None:
        self._taking = taking
        self._reads = reads

    async def __call__(self, request: Request) -> None:
        """Take what is said about the request."""
        key = await self._taking.critic(request)
        [found] = objects(await request.json(self._taking.max_body), "it")[:1] or [{}]
        try:
            said = self._reads(found, request.parameters["id"])
        except InvalidInput as error:
            raise ApiError(400, f"This cannot be taken. {error.message}") from error
        await self._taking.feedback(key, [read_feedback(one) for one in said])
        await request.respond_json(200, {"data": None, "error": None})


class TakeLog:
    """POST /custom/v1/log, /oai/v1/log and /anthropic/v1/log: calls that Helicone's manual logger tells."""

    def __init__(self, taking: Taking, endpoint: str = "chat") -> None:
        self._taking = taking
        self._endpoint = endpoint

    async def __call__(self, request: Request) -> None:
        """Record the call, unless its headers say not to."""
        key = await self._taking.reporter(request)
        found = await request.json(self._taking.max_body)
        facts = vendor_facts(request)
        if not isinstance(found, dict) or not isinstance(found.get("providerRequest"), dict):
            raise ApiError(400, "This is no log: it needs `providerRequest` and `providerResponse`.")
        if not facts.pop(UNRECORDED, False):
            try:
                call = read_log(found, self._endpoint, facts)
            except UNREADABLE as error:
                raise ApiError(400, f"The log cannot be read: {str(error)[:200]}.") from error
            await self._taking.record(key, [call] if is_call(call) else [])
        await request.respond_json(200, {"data": None, "error": None})


RATING, SCORES, PROPERTY = helicone_rating, helicone_scores, helicone_property

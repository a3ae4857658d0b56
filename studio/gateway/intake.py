"""Feedback, and calls that were made elsewhere: checked, put into the journal, acknowledged."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from storage.types import new_id
from studio.capture.feedback import GivenFeedback
from studio.capture.recorder import Recorder
from studio.capture.tags import clean_tags
from studio.errors import InvalidInput
from studio.gateway.errors import ApiError
from studio.gateway.headers import LOG_ID
from studio.gateway.http import Request
from studio.gateway.keys import KeyCache
from studio.gateway.routing import Routing

NOT_RECORDED = "It could not be written: the disk is full. Free some space and send it again."


class ReportedCall(BaseModel):
    """A call that did not go through the gateway."""

    model_config = ConfigDict(extra="ignore")

    request: dict[str, Any]
    response: dict[str, Any] | None = None
    status: Literal["ok", "error"] = "ok"
    http_status: int = Field(200, ge=100, le=599)
    error: str | None = None
    started_at: datetime | float | None = None
    latency_ms: float = Field(0.0, ge=0, allow_inf_nan=False)
    external_id: str | None = Field(None, max_length=200)
    tags: dict[str, Any] = Field(default_factory=dict)


class TakeFeedback:
    """POST /v1/feedback and POST /v1/logs/{uid}/feedback."""

    def __init__(self, keys: KeyCache, recorder: Recorder, max_body: int) -> None:
        self._keys = keys
        self._recorder = recorder
        self._max_body = max_body

    async def __call__(self, request: Request) -> None:
        """Acknowledge feedback once it is in the journal; it reaches its call within a second."""
        key = await self._keys.require(request)
        given = _feedback(await request.json(self._max_body), request.parameters)
        uid = new_id()
        said = given.model_dump(exclude_none=True)
        if not self._recorder.feedback(uid, time.time(), key.project_id, said):
            raise ApiError(507, NOT_RECORDED, "server_error", "disk_full")
        await request.respond_json(202, {"id": uid, "object": "feedback", "status": "accepted"})


class TakeReport:
    """POST /v1/report."""

    def __init__(self, keys: KeyCache, routing: Routing, recorder: Recorder, max_body: int) -> None:
        self._keys = keys
        self._routing = routing
        self._recorder = recorder
        self._max_body = max_body

    async def __call__(self, request: Request) -> None:
        """Record a call as its maker reports it."""
        key = await self._keys.require(request)
        call = _report(await request.json(self._max_body))
        uid = new_id()
        meta = {"uid": uid, "project_id": key.project_id, "api_key_id": key.id, **self._facts(key.project_id, call)}
        reply = orjson.dumps(call.response) if call.response else b""
        if not self._recorder.call(meta, orjson.dumps(call.request), reply):
            raise ApiError(507, NOT_RECORDED, "server_error", "disk_full")
        answer = {"id": uid, "object": "log", "status": "accepted"}
        await request.respond_json(202, answer, [(LOG_ID, uid.encode())])

    def _facts(self, project_id: str, call: ReportedCall) -> dict[str, Any]:
        model = str(call.request.get("model") or "")
        route = self._routing.table.pick(project_id, model) if model else None
        return {
            "at": _moment(call.started_at),
            "source": "report",
            "model": model,
            "status": call.status,
            "http_status": call.http_status,
            "error": call.error,
            "latency_ms": call.latency_ms,
            "external_id": call.external_id,
            "tags": clean_tags(call.tags),
            "provider_id": route.provider_id if route else None,
            "prices": route.prices if route else {},
        }


def _feedback(found: Any, parameters: dict[str, str]) -> GivenFeedback:
    try:
        return GivenFeedback.read({**found, **parameters} if isinstance(found, dict) else found)
    except InvalidInput as error:
        raise ApiError(400, f"This feedback cannot be taken. {error.message}") from error


def _report(found: Any) -> ReportedCall:
    try:
        call = ReportedCall.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "report"
        raise ApiError(400, f"This report cannot be taken. {where}: {first['msg']}.") from error
    messages = call.request.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages) or not messages:
        raise ApiError(400, "This report cannot be taken. request.messages: send the list of messages of the call.")
    return call


def _moment(started_at: datetime | float | None) -> float:
    if started_at is None:
        return time.time()
    return started_at.timestamp() if isinstance(started_at, datetime) else float(started_at)

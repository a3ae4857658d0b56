"""POST /v1/report: a call in our own form, and several at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.capture.reported import Reported
from studio.gateway.endpoints.catalog import ENDPOINTS
from studio.gateway.errors import ApiError
from studio.gateway.headers import LOG_ID
from studio.gateway.http import Request
from studio.gateway.intakes.taking import Taking, objects

EndpointName = Literal["chat", "completions", "embeddings", "responses", "messages"]
LACKING = {endpoint.name: endpoint.lacking for endpoint in reversed(ENDPOINTS)}


class ReportedCall(BaseModel):
    """A call that did not go through the gateway."""

    model_config = ConfigDict(extra="ignore")

    request: dict[str, Any]
    response: dict[str, Any] | None = None
    endpoint: EndpointName = "chat"
    status: Literal["ok", "error"] = "ok"
    http_status: int = Field(200, ge=100, le=599)
    error: str | None = None
    started_at: datetime | float | None = None
    latency_ms: float = Field(0.0, ge=0, allow_inf_nan=False)
    first_token_ms: float | None = Field(None, ge=0, allow_inf_nan=False)
    external_id: str | None = Field(None, max_length=200)
    trace_id: str | None = Field(None, max_length=200)
    span_id: str | None = Field(None, max_length=200)
    parent_span_id: str | None = Field(None, max_length=200)
    session_id: str | None = Field(None, max_length=200)
    user_id: str | None = Field(None, max_length=200)
    cost_usd: float | None = Field(None, ge=0, allow_inf_nan=False)
    tags: dict[str, Any] = Field(default_factory=dict)

    def call(self) -> Reported:
        """The call in the form of all intakes; reported again under its external id, it is the same call."""
        told = self.model_dump(exclude={"started_at"})
        started = self.started_at
        at = started.timestamp() if isinstance(started, datetime) else started
        stream = self.request.get("stream") is True
        return Reported(source="report", same=self.external_id, at=at, stream=stream, **told)


class TakeReport:
    """Takes calls as their maker reports them."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    async def __call__(self, request: Request) -> None:
        """Record one call, or each of a list."""
        key = await self._taking.reporter(request)
        found = await request.json(self._taking.max_body)
        listed = [_read(one, number, found) for number, one in enumerate(objects(found, "the call"))]
        ids, refused = await self._taking.record(key, [one.call() for one in listed])
        if refused:
            raise ApiError(400, f"This report cannot be taken. {refused[0]}")
        answers = [{"id": uid, "object": "log", "status": "accepted"} for uid in ids]
        if isinstance(found, list):
            await request.respond_json(202, {"object": "list", "data": answers})
        else:
            await request.respond_json(202, answers[0], [(LOG_ID, ids[0].encode())])


def _read(found: dict[str, Any], number: int, whole: Any) -> ReportedCall:
    place = f"[{number}] " if isinstance(whole, list) else ""
    try:
        call = ReportedCall.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "report"
        raise ApiError(400, f"This report cannot be taken. {place}{where}: {first['msg']}.") from error
    if lack := LACKING[call.endpoint](call.request):
        raise ApiError(400, f"This report cannot be taken. {place}request.{lack.replace('`', '', 2)}")
    messages = call.request.get("messages")
    if isinstance(messages, list) and not all(isinstance(message, dict) for message in messages):
        raise ApiError(400, f"This report cannot be taken. {place}request.messages: each message is an object.")
    return call

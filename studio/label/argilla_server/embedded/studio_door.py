"""What the studio asks of the embedded server beyond Argilla's API, with the service account's key only.

`/studio/datasets/<id>/record-ids` and `/studio/datasets/<id>/answers?since=<time>`: Argilla's own API hands out whole
records, which at 20,000 records keeps the server busy for half a minute; these read the columns that are needed.
An ASGI wrapper: argilla-server itself is untouched.
"""

from __future__ import annotations

import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from argilla_server.database import AsyncSessionLocal
from argilla_server.models import Record, Response, User
from sqlalchemy import and_, or_, select

PAGE = 1000
ANSWER = "answer"
PATH = re.compile(r"^/studio/datasets/([0-9a-f-]{36})/(record-ids|answers)$")
Page = tuple[list[dict[str, Any]], str]
"""The items and where the next page starts; empty at the end."""


class StudioDoor:
    """Answers the two questions; hands everything else on."""

    def __init__(self, app: Any, api_key: str, base: str = "") -> None:
        self.app, self.api_key, self.base = app, api_key, base.rstrip("/")

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one ASGI connection."""
        found = PATH.match(scope["path"].removeprefix(self.base)) if scope["type"] == "http" else None
        if found is None:
            return await self.app(scope, receive, send)
        given = dict(scope["headers"]).get(b"x-argilla-api-key", b"")
        if not hmac.compare_digest(given, self.api_key.encode()):
            return await _respond(send, 401, {"detail": "the studio's key is needed"})
        asked = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        read = record_ids if found[2] == "record-ids" else answers
        try:
            items, after = await read(UUID(found[1]), asked.get("after", ""), asked.get("since", ""))
        except ValueError as error:
            return await _respond(send, 422, {"detail": str(error)})
        await _respond(send, 200, {"items": items, "after": after})


async def record_ids(dataset: UUID, after: str, _since: str) -> Page:
    """Id and external id of the dataset's records."""
    query = select(Record.id, Record.external_id).where(Record.dataset_id == dataset).order_by(Record.id).limit(PAGE)
    if after:
        query = query.where(Record.id > UUID(after))
    async with AsyncSessionLocal() as db:
        rows = (await db.execute(query)).all()
    items = [{"id": str(row.id), "external_id": row.external_id} for row in rows]
    return items, items[-1]["id"] if len(items) == PAGE else ""


async def answers(dataset: UUID, after: str, since: str) -> Page:
    """The dataset's responses, those changed longest ago first; one that changes meanwhile comes again at the end."""
    query = select(Response, Record.external_id, Record.fields, User.username)
    query = query.join(Record, Record.id == Response.record_id).join(User, User.id == Response.user_id)
    query = query.where(Record.dataset_id == dataset, Record.external_id.is_not(None))
    if since:
        query = query.where(Response.updated_at >= _naive(since))
    if after:
        moment, _space, last = after.partition(" ")
        at = _naive(moment)
        later = and_(Response.updated_at == at, Response.id > UUID(last))
        query = query.where(or_(Response.updated_at > at, later))
    async with AsyncSessionLocal() as db:
        rows = (await db.execute(query.order_by(Response.updated_at, Response.id).limit(PAGE))).all()
    full = len(rows) == PAGE
    return [_answer(*row) for row in rows], f"{rows[-1][0].updated_at.isoformat()} {rows[-1][0].id}" if full else ""


def _answer(response: Response, external_id: str, fields: dict[str, Any], username: str) -> dict[str, Any]:
    shown = fields.get(ANSWER)
    return {
        "id": str(response.id),
        "external_id": external_id,
        "username": username,
        "status": response.status.value,
        "values": response.values,
        "inserted_at": response.inserted_at.isoformat(),
        "updated_at": response.updated_at.isoformat(),
        "shown": shown if isinstance(shown, str) else None,  # a text field is marked up, and offsets are into it
    }


def _naive(text: str) -> datetime:
    """A moment as Argilla stores it: naive UTC."""
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


async def _respond(send: Any, status: int, value: dict[str, Any]) -> None:
    body = json.dumps(value).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

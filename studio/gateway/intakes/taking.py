"""Taking: what every intake does with what it has read; nothing here touches the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from storage.types import new_id
from studio.access.keys import FEEDBACK, REPORT
from studio.capture.feedback import GivenFeedback
from studio.capture.recorder import Recorder
from studio.capture.reported import Reported
from studio.errors import InvalidInput
from studio.gateway.errors import ApiError
from studio.gateway.http import Request
from studio.gateway.keys import KeyCache, KeyOf
from studio.gateway.routing import Routing

NOT_RECORDED = "It could not be written: the disk is full. Free some space and send it again."
MOST_AT_ONCE = 10_000
UNREADABLE = (TypeError, ValueError, KeyError, AttributeError, RecursionError, OverflowError)
"""What reading odd data from outside may raise."""

CountsMatches = Callable[[str, GivenFeedback], int]


@dataclass(frozen=True)
class Taking:
    """Keys, and the way into the journal."""

    keys: KeyCache
    routing: Routing
    recorder: Recorder
    max_body: int
    matches: CountsMatches

    async def reporter(self, request: Request) -> KeyOf:
        """Who reports calls. Raises ApiError 401 or 403."""
        return await self.keys.require(request, REPORT)

    async def critic(self, request: Request) -> KeyOf:
        """Who gives feedback. Raises ApiError 401 or 403."""
        return await self.keys.require(request, FEEDBACK)

    async def record(self, key: KeyOf, calls: Iterable[Reported]) -> tuple[list[str], list[str]]:
        """Put calls into the journal: their ids, and why some could not be taken. Raises ApiError 507."""
        taken: list[str] = []
        refused: list[str] = []
        for call in calls:
            await asyncio.sleep(0)  # others get their turn
            try:
                meta, (request, reply) = self._meta(key, call), call.bodies()
            except UNREADABLE as error:
                refused.append(f"A call cannot be kept: {str(error)[:200]}.")
                continue
            if not await self.recorder.take(meta, request, reply):
                raise not_recorded()
            taken.append(str(meta["uid"]))
        return taken, refused

    async def feedback(self, key: KeyOf, given: Iterable[GivenFeedback]) -> list[str]:
        """Put feedback into the journal; it reaches its calls within a second. Raises ApiError 507."""
        ids: list[str] = []
        for one in given:
            await asyncio.sleep(0)
            uid = new_id()
            said = one.model_dump(mode="json", exclude_none=True)
            if one.set:
                said["set"] = one.set  # None in it takes a tag away
            if one.at:
                said["at"] = one.at.timestamp()
            if not self.recorder.feedback(uid, time.time(), key.project_id, said):
                raise not_recorded()
            ids.append(uid)
        return ids

    def _meta(self, key: KeyOf, call: Reported) -> dict[str, Any]:
        route = self.routing.table.pick(key.project_id, call.model) if call.model else None
        provider, prices = (route.provider_id, route.prices) if route else (None, {})
        return call.meta(key.project_id, key.id, provider, prices)


def read_feedback(found: Any, place: str = "") -> GivenFeedback:
    """Checked feedback. Raises ApiError 400 with the field and the fix."""
    try:
        return GivenFeedback.read(found)
    except InvalidInput as error:
        raise ApiError(400, f"This feedback cannot be taken. {place}{error.message}") from error


def objects(found: Any, what: str) -> list[dict[str, Any]]:
    """One object, or a list of them. Raises ApiError 400."""
    listed = found if isinstance(found, list) else [found]
    if not all(isinstance(item, dict) for item in listed):
        raise ApiError(400, f"Send {what} as a JSON object, or several as a list of objects.")
    if len(listed) > MOST_AT_ONCE:
        raise ApiError(413, f"That is more than {MOST_AT_ONCE} at once. Send them in parts.", code="too_many")
    return listed


def not_recorded(status: int = 507) -> ApiError:
    """507."""
    return ApiError(status, NOT_RECORDED, "server_error", "disk_full")

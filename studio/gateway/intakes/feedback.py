"""POST /v1/feedback, one or many at once, in our form or in Portkey's or Helicone's; and /v1/logs/{id}/feedback."""

from __future__ import annotations

from typing import Any

from studio.capture.feedback import GivenFeedback
from studio.capture.feedback_forms import helicone_rating, is_portkey, portkey
from studio.errors import InvalidInput
from studio.gateway.errors import ApiError
from studio.gateway.http import Request
from studio.gateway.intakes.taking import Taking, objects, read_feedback

HELICONE_ID = "helicone-id"


class TakeFeedback:
    """Acknowledges feedback once it is in the journal; it reaches its call within a second."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    async def __call__(self, request: Request) -> None:
        """Take all of what was sent, or nothing of it."""
        key = await self._taking.critic(request)
        found = await request.json(self._taking.max_body)
        listed = [{**one, **request.parameters} for one in objects(found, "feedback")]
        given = [
            one for number, item in enumerate(listed) for one in _read(item, f"[{number}] " * isinstance(found, list))
        ]
        ids = await self._taking.feedback(key, given)
        if listed and all(is_portkey(item) for item in listed):
            said = {"status": "success", "message": "Feedback saved.", "feedback_ids": ids}
            await request.respond_json(200, said)
            return
        answers = [{"id": uid, "object": "feedback", "status": "accepted"} for uid in ids]
        whole = {"object": "list", "data": answers} if isinstance(found, list) else answers[0]
        await request.respond_json(202, whole)


class ChangeFeedback:
    """PUT /v1/feedback/{feedback_id}: what was said under this id is replaced."""

    def __init__(self, taking: Taking) -> None:
        self._taking = taking

    async def __call__(self, request: Request) -> None:
        """Tell how it is done here."""
        await self._taking.critic(request)
        message = "Feedback is changed by sending it again to POST /v1/feedback with the same `feedback_id`."
        raise ApiError(405, message, code="send_again")


def _read(found: dict[str, Any], place: str) -> list[GivenFeedback]:
    try:
        said = _said(found)
    except InvalidInput as error:
        raise ApiError(400, f"This feedback cannot be taken. {place}{error.message}") from error
    return [read_feedback(one, place) for one in said]


def _said(found: dict[str, Any]) -> list[dict[str, Any]]:
    if is_portkey(found):
        return portkey(found)
    if HELICONE_ID in found and "kind" not in found:
        return helicone_rating(found, str(found[HELICONE_ID]))
    return [found]

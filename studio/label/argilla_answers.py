"""Reading answers from Argilla: from the embedded server only what changed, from others everything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from studio.errors import NotFound
from studio.label import argilla_people as people
from studio.label.argilla_dataset import ANSWER
from studio.label.argilla_rest import ArgillaRest
from studio.label.argilla_suggestions import spans_from_browser
from studio.label.backend import Answer

CLOCK_DOUBT = timedelta(minutes=2)
GONE = "Somebody deleted this task in Argilla. The answers collected so far are kept; send the rest again on Label."


def changed(rest: ArgillaRest, ref: str, since: datetime | None, *, embedded: bool) -> Iterator[Answer]:
    """A dataset's answers, without those that cannot have changed since then. Raises NotFound for a deleted one."""
    try:
        activity = moment(rest.get(f"/datasets/{ref}")["last_activity_at"])
    except NotFound as error:
        raise NotFound(GONE) from error
    earliest = since - CLOCK_DOUBT if since else None
    if earliest and activity < earliest:
        return
    if embedded:
        yield from _from_our_server(rest, ref, earliest)
    else:
        yield from _from_records(rest, ref)


def _from_our_server(rest: ArgillaRest, ref: str, earliest: datetime | None) -> Iterator[Answer]:
    params = {"since": earliest.astimezone(UTC).isoformat()} if earliest else {}
    for each in rest.our_pages(f"/datasets/{ref}/answers", **params):
        yield _answer(each, str(each["external_id"]), each["username"], each.get("shown"))


def _from_records(rest: ArgillaRest, ref: str) -> Iterator[Answer]:
    names = people.usernames(rest)
    for record in rest.records(ref, include="responses"):
        for response in record.get("responses") or []:
            who = names.get(str(response["user_id"]), "")
            if who and record["external_id"]:  # a deleted person's answers stay as they were collected
                yield _answer(response, str(record["external_id"]), who, record["fields"].get(ANSWER))


def _answer(response: dict[str, Any], item_key: str, who: str, shown: Any) -> Answer:
    given = {name: each["value"] for name, each in (response["values"] or {}).items()}
    values = {name: _value(value, shown) for name, value in given.items() if value is not None}
    inserted = moment(response["inserted_at"])
    return Answer(item_key, who, str(response["status"]), values, moment(response["updated_at"]), inserted)


def _value(value: Any, shown: Any) -> Any:
    """A value as the port has it: ranks with their ties, spans counted in characters."""
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return value
    if "start" in value[0]:
        return spans_from_browser(shown if isinstance(shown, str) else "", value)
    return [{"value": each["value"], "rank": each["rank"]} for each in value if each.get("rank") is not None]


def moment(text: str) -> datetime:
    """A moment as Argilla writes it, which is UTC."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)

"""Feedback on calls: from people in the studio, and from programs through the gateway."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from sqlmodel import Session

from storage.database import Database
from storage.repositories.feedback import FeedbackRepository
from storage.repositories.logs import LogEntryRepository
from storage.tables import Feedback, LogEntry
from storage.types import new_id, now
from studio.access.actor import Actor, Role, permit
from studio.errors import InvalidInput, NotFound

MOST_BY_TAGS = 100

NO_SUCH_CALL = (
    "No call matches this feedback. Send the value of the answer's x-whetstone-log-id header as `uid`,"
    " or the answer's `id` as `external_id`."
)


class GivenFeedback(BaseModel):
    """Feedback as it comes from outside: one of uid, external_id or tags says which call is meant."""

    model_config = ConfigDict(extra="ignore")

    uid: str | None = Field(None, max_length=40)
    external_id: str | None = Field(None, max_length=200)
    tags: dict[str, str] | None = None
    kind: Literal["thumbs", "score", "comment", "correction", "metric"]
    name: str = Field("", max_length=120)
    value: float | None = Field(None, allow_inf_nan=False)
    text: str | None = Field(None, max_length=200_000)
    given_by: str = Field("", max_length=200)
    source: str = Field("api", max_length=60)

    @field_validator("text", "name", "given_by")
    @classmethod
    def _without_nul(cls, value: str | None) -> str | None:
        return value.replace("\x00", "") if value else value

    @model_validator(mode="after")
    def _whole(self) -> GivenFeedback:
        if not (self.uid or self.external_id or self.tags):
            raise ValueError("say which call is meant: uid, external_id or tags")
        if self.kind == "thumbs" and self.value not in (0, 1):
            raise ValueError("thumbs need the value 1 (up) or 0 (down)")
        if self.kind in ("score", "metric") and self.value is None:
            raise ValueError(f"a {self.kind} needs a value")
        if self.kind in ("comment", "correction") and not (self.text or "").strip():
            raise ValueError(f"a {self.kind} needs a text")
        return self

    @classmethod
    def read(cls, found: Any) -> GivenFeedback:
        """Check what came from outside. Raises InvalidInput with the field and the fix."""
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "feedback"
            raise InvalidInput(f"{where}: {first['msg'].removeprefix('Value error, ')}.") from error


class FeedbackIntake:
    """Takes verdicts and keeps the call's latest rating and correction beside it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def give(
        self,
        project_id: str,
        *,
        uid: str | None = None,
        external_id: str | None = None,
        tags: dict[str, str] | None = None,
        kind: str,
        name: str = "",
        value: float | None = None,
        text: str | None = None,
        given_by: str = "",
        source: str = "api",
        actor: Actor | None = None,
    ) -> list[Feedback]:
        """Feedback on the call with this uid or external id, or on the newest 100 with all of these tags.

        `actor` is the person who gives it in the studio (a labeler may); programs were let in by their API key.
        """
        found = {name: value for name, value in locals().items() if name not in ("self", "project_id", "actor")}
        given = GivenFeedback.read(found)
        with self.database.write() as session:
            if actor is not None:
                permit(session, actor, Role.LABELER)
            rows = apply_feedback(session, project_id, given)
        if not rows:
            raise NotFound(NO_SUCH_CALL)
        return rows


def apply_feedback(
    session: Session, project_id: str, given: GivenFeedback, record_id: str | None = None, at: datetime | None = None
) -> list[Feedback]:
    """Write the feedback to every call it means; none when there is no such call (yet).

    With a `record_id`, applying the same record again changes nothing.
    """
    entries = LogEntryRepository(session)
    entries.lock_arrival()
    if record_id and (known := session.get(Feedback, record_id)):
        return [known]
    rows = []
    for number, entry in enumerate(_entries(session, project_id, given)):
        key = new_id() if record_id is None else record_id if number == 0 else f"{record_id}-{number}"
        rows.append(_write(session, entry, given, key, at or now()))
    entries.changed([row.log_entry_id for row in rows])
    return rows


def _entries(session: Session, project_id: str, given: GivenFeedback) -> list[LogEntry]:
    entries = LogEntryRepository(session)
    if given.uid:
        found = [entries.by_uid(project_id, given.uid)]
    elif given.external_id:
        found = [entries.find_one(project_id=project_id, external_id=given.external_id)]
    else:
        return entries.with_tags(project_id, given.tags or {}, MOST_BY_TAGS)
    return [entry for entry in found if entry is not None]


def _write(session: Session, entry: LogEntry, given: GivenFeedback, key: str, at: datetime) -> Feedback:
    if given.kind == "thumbs":
        entry.rating = "up" if given.value else "down"
    if given.kind == "correction":
        entry.correction = given.text
    if given.kind == "score":
        entry.score = given.value
    session.add(entry)
    said = given.model_dump(include={"kind", "name", "value", "text", "given_by", "source"})
    row = Feedback(id=key, project_id=entry.project_id, log_entry_id=entry.id or 0, created_at=at, **said)
    return FeedbackRepository(session).add(row)

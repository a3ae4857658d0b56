"""Feedback on calls: from people in the studio, and from programs through the gateway."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator
from sqlmodel import Session

from storage.database import Database
from storage.repositories.feedback import FeedbackRepository
from storage.repositories.logs import LogEntryRepository
from storage.tables import Feedback, LogEntry
from storage.types import new_id, now
from studio.access.actor import Actor, Role, permit
from studio.capture.privacy.cleaner import Cleaner
from studio.capture.tags import LONGEST_NAME, LONGEST_VALUE
from studio.capture.targets import MOST_BY_TAGS, Target, calls_meant
from studio.capture.text import storable
from studio.errors import InvalidInput, NotFound

MOST_RETAGGED = 1000
"""Calls whose tags one request may change; the newest."""
SAID = ("kind", "name", "value", "text", "given_by", "source")
THUMBS = {"up": 1, "down": 0}
KEPT_ON_THE_CALL = {"thumbs": "rating", "correction": "correction", "score": "score"}

NO_SUCH_CALL = (
    "No call matches this feedback. Send the value of the answer's x-whetstone-log-id header as `uid`,"
    " or the answer's `id` as `external_id`."
)

NOT_KEPT = (
    "This project keeps no text of calls, so comments and corrections are not kept either."
    " An admin can change that under Settings, Privacy."
)


class GivenFeedback(Target):
    """Feedback as it comes from outside: what is said, and which call is meant."""

    model_config = ConfigDict(extra="ignore")

    kind: Literal["thumbs", "score", "comment", "correction", "metric", "tags"]
    name: str = Field("", max_length=120)
    value: float | None = Field(None, allow_inf_nan=False)
    text: str | None = Field(None, max_length=200_000)
    given_by: str = Field("", max_length=200)
    source: str = Field("api", max_length=60)
    feedback_id: str | None = Field(None, max_length=150)
    """Its id where it comes from: sent again, it replaces what it said before."""
    at: datetime | None = None
    """When it was said; when it came, where nothing is told."""
    set: dict[str, str | None] | None = Field(None, max_length=32)
    """For the kind tags: the tags to give, None to take one away."""

    @field_validator("value", mode="before")
    @classmethod
    def _up_or_down(cls, value: Any) -> Any:
        return THUMBS.get(value, value) if isinstance(value, str) else value

    @field_validator("text", "name", "given_by", "source", "feedback_id")
    @classmethod
    def _storable(cls, value: str | None) -> str | None:
        return storable(value) if value else value

    @field_validator("set")
    @classmethod
    def _as_tags_are(cls, tags: dict[str, str | None] | None) -> dict[str, str | None] | None:
        """Cut to the length of tags, so that what is set can be found and taken away again."""
        cut = {name[:LONGEST_NAME]: value and value[:LONGEST_VALUE] for name, value in (tags or {}).items()}
        return {storable(name): storable(value) for name, value in cut.items()}

    @field_validator("at")
    @classmethod
    def _in_utc(cls, at: datetime | None) -> datetime | None:
        try:
            return at and (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except OverflowError as error:
            raise ValueError("that is no moment of our calendar") from error

    @model_validator(mode="after")
    def _whole(self) -> GivenFeedback:
        if not self.names_a_call and not (self.kind == "tags" and self.model):
            raise ValueError("say which call is meant: uid, external_id, trace_id or tags")
        if self.kind == "thumbs" and self.value not in (0, 1):
            raise ValueError("thumbs need the value 1 (up) or 0 (down)")
        if self.kind in ("score", "metric") and self.value is None:
            raise ValueError(f"a {self.kind} needs a value")
        if self.kind in ("comment", "correction") and not (self.text or "").strip():
            raise ValueError(f"a {self.kind} needs a text")
        if self.kind == "tags" and not self.set:
            raise ValueError("say which tags to set")
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
    """Takes verdicts and keeps the call's latest rating, score and correction beside it."""

    def __init__(self, database: Database, cleaner: Cleaner | None = None) -> None:
        """With a cleaner nothing is written that the project's privacy policy forbids."""
        self.database = database
        self.cleaner = cleaner

    def give(
        self,
        project_id: str,
        *,
        uid: str | None = None,
        external_id: str | None = None,
        trace_id: str | None = None,
        tags: dict[str, str] | None = None,
        kind: str,
        name: str = "",
        value: float | None = None,
        text: str | None = None,
        given_by: str = "",
        source: str = "api",
        feedback_id: str | None = None,
        actor: Actor | None = None,
    ) -> list[Feedback]:
        """Feedback on the call with this uid or external id, or on the newest 100 of this trace or with all these tags.

        `actor` is the person who gives it in the studio (a labeler may); programs were let in by their API key.
        """
        found = {name: value for name, value in locals().items() if name not in ("self", "project_id", "actor")}
        given = self._cleaned(project_id, GivenFeedback.read(found))
        with self.database.write() as session:
            if actor is not None:
                permit(session, actor, Role.LABELER)
            rows = apply_feedback(session, project_id, given)
        if not rows:
            raise NotFound(NO_SUCH_CALL)
        return rows

    def _cleaned(self, project_id: str, given: GivenFeedback) -> GivenFeedback:
        if self.cleaner is None:
            return given
        said = self.cleaner.feedback(project_id, given.model_dump(exclude_none=True))
        if said is None:
            raise InvalidInput(NOT_KEPT)
        return GivenFeedback.read(said)


def take_given(session: Session, project_id: str, given: GivenFeedback, record_id: str, at: datetime) -> bool:
    """Apply what a journal record says; False when none of its calls is here (yet)."""
    if given.kind == "tags":
        return _retag(session, project_id, given)
    return bool(apply_feedback(session, project_id, given, record_id, at))


def apply_feedback(
    session: Session, project_id: str, given: GivenFeedback, record_id: str | None = None, at: datetime | None = None
) -> list[Feedback]:
    """Write the feedback to every call it means; none when there is no such call (yet).

    With a `record_id`, applying the same record again changes nothing. A corrected output is that of one call: the
    newest.
    """
    entries = LogEntryRepository(session)
    entries.lock_arrival()
    if record_id and (known := session.get(Feedback, record_id)):
        return [known]
    came = at or now()
    meant = calls_meant(session, project_id, given, now() - came)
    meant = meant[-1:] if given.kind == "correction" else meant
    rows = []
    for number, entry in enumerate(reversed(meant)):
        key = new_id() if record_id is None else record_id if number == 0 else f"{record_id}-{number}"
        rows.append(_write(session, entry, given, key, given.at or came))
    entries.changed([row.log_entry_id for row in rows])
    return rows


def count_meant(database: Database, project_id: str, given: GivenFeedback) -> int:
    """How many calls that are here now feedback on tags would change."""
    with database.read() as session:
        return len(calls_meant(session, project_id, given, most=MOST_RETAGGED))


def _retag(session: Session, project_id: str, given: GivenFeedback) -> bool:
    entries, wanted = LogEntryRepository(session), given.set or {}
    entries.lock_arrival()
    meant = calls_meant(session, project_id, given, most=MOST_RETAGGED)
    values = {name: value for name, value in wanted.items() if value is not None}
    unset = [name for name, value in wanted.items() if value is None]
    return entries.merge_tags(project_id, [entry.id or 0 for entry in meant], values, unset) > 0


def _write(session: Session, entry: LogEntry, given: GivenFeedback, key: str, at: datetime) -> Feedback:
    said = given.model_dump(include=set(SAID))
    row = FeedbackRepository(session).said_before(entry, given.feedback_id) if given.feedback_id else None
    if row is None:
        external_id = FeedbackRepository(session).free_id(entry, given.feedback_id) if given.feedback_id else None
        row = Feedback(id=key, project_id=entry.project_id, log_entry_id=entry.id or 0, created_at=at, kind=given.kind)
        row.external_id = external_id
    for name, value in said.items():
        setattr(row, name, value)
    row.created_at = at
    _keep_latest(session, entry, row)
    return FeedbackRepository(session).add(row)


def _keep_latest(session: Session, entry: LogEntry, row: Feedback) -> None:
    """The call shows the newest verdict of each kind, in whichever order they arrive."""
    shown = KEPT_ON_THE_CALL.get(row.kind)
    if shown is None or FeedbackRepository(session).has_newer(row):
        return
    value = {"rating": "up" if row.value else "down", "correction": row.text, "score": row.value}[shown]
    setattr(entry, shown, value)
    session.add(entry)


__all__ = ["MOST_BY_TAGS", "FeedbackIntake", "GivenFeedback", "apply_feedback", "count_meant", "take_given"]

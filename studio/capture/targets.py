"""Target: which calls feedback is about, as its sender names them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlmodel import Session

from storage.repositories.log_targets import LogTargets
from storage.repositories.logs import LogEntryRepository
from storage.tables import LogEntry
from studio.capture.tags import clean_tags

MOST_BY_TAGS = 100
"""Calls that a trace, a session or tags may mean; the newest."""
SPAN_IS_PATIENT = timedelta(minutes=1)
"""How long feedback on a span waits for the span's own call before it goes to the other calls of the trace."""
ANY_ID = ("uid", "external_id", "trace_id")


class Target(BaseModel):
    """One of these names says which call is meant; span and trace, or tags and model, may come together."""

    model_config = ConfigDict(extra="ignore")

    uid: str | None = Field(None, max_length=40)
    external_id: str | None = Field(None, max_length=200)
    trace_id: str | None = Field(None, max_length=200)
    span_id: str | None = Field(None, max_length=200)
    session_id: str | None = Field(None, max_length=200)
    id: str | None = Field(None, max_length=200)
    """Any id: ours, the call's own, or a trace's."""
    tags: dict[str, str] | None = Field(None, max_length=32)
    model: str | None = Field(None, max_length=200)

    @field_validator("tags")
    @classmethod
    def _as_calls_have_them(cls, tags: dict[str, str] | None) -> dict[str, str] | None:
        return clean_tags(tags) if tags else tags

    @property
    def names_a_call(self) -> bool:
        """Whether it says anything."""
        return any((self.uid, self.external_id, self.trace_id, self.span_id, self.session_id, self.id, self.tags))


def calls_meant(
    session: Session, project_id: str, target: Target, waited: timedelta = timedelta(0), most: int = MOST_BY_TAGS
) -> list[LogEntry]:
    """The calls that are meant, oldest first; none when they are not here (yet)."""
    calls = LogTargets(session)
    if target.uid:
        return calls.newest(project_id, 1, uid=target.uid)
    if target.external_id:
        return _of_model(calls.newest(project_id, 1, external_id=target.external_id), target.model)
    if target.id:
        return _by_any_id(calls, project_id, target.id, most)
    if target.span_id:
        return _by_span(calls, project_id, target, waited, most)
    if target.trace_id:
        return _by_trace(calls, project_id, target.trace_id, most)
    if target.session_id:
        return calls.newest(project_id, most, session_id=target.session_id)
    return _by_tags(session, project_id, target, most)


def perhaps_here(session: Session, waiting: Iterable[tuple[str, str, Target]]) -> set[str]:
    """Of (name, project, target) the names whose calls may be here by now: a few queries for many of them."""
    wanted: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    tagged: list[tuple[str, str, Target]] = []
    for name, project_id, target in waiting:
        columns = _columns(target)
        for column, value in columns:
            wanted[project_id, column][value].append(name)
        if not columns:
            tagged.append((name, project_id, target))
    found = _tagged_here(session, tagged)
    for (project_id, column), names in wanted.items():
        for value in LogTargets(session).known(project_id, column, names):
            found.update(names[value])
    return found


def _tagged_here(session: Session, waiting: list[tuple[str, str, Target]]) -> set[str]:
    """Each tag is looked for first; all of them on one call only where every one is known."""
    wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _, project_id, target in waiting:
        for tag, value in (target.tags or {}).items():
            wanted[project_id, tag].add(value)
    known = {key: LogTargets(session).known_tags(*key, values) for key, values in wanted.items()}
    return {
        name
        for name, project_id, target in waiting
        if all(value in known[project_id, tag] for tag, value in (target.tags or {}).items())
        and _by_tags(session, project_id, target, 1)
    }


def _columns(target: Target) -> list[tuple[str, str]]:
    """Columns in which a call would have to have a value to be the one."""
    if target.id:
        return [(column, target.id) for column in ANY_ID]
    if target.trace_id and not (target.uid or target.external_id):
        return [("trace_id", target.trace_id), ("uid", target.trace_id)]
    named = {"uid": target.uid, "external_id": target.external_id, "span_id": target.span_id}
    named["session_id"] = target.session_id
    return next(([(column, value)] for column, value in named.items() if value), [])


def _by_any_id(calls: LogTargets, project_id: str, name: str, most: int) -> list[LogEntry]:
    for column in ANY_ID:
        if found := calls.newest(project_id, most, **{column: name}):
            return found
    return []


def _by_trace(calls: LogTargets, project_id: str, trace_id: str, most: int) -> list[LogEntry]:
    """A call whose caller named no trace is told its own id as the trace's."""
    return calls.newest(project_id, most, trace_id=trace_id) or calls.newest(project_id, 1, uid=trace_id)


def _by_span(calls: LogTargets, project_id: str, target: Target, waited: timedelta, most: int) -> list[LogEntry]:
    """The span's call; for a span that is no call, those right under it, and after a minute all of its trace."""
    trace = {"trace_id": target.trace_id} if target.trace_id else {}
    own = calls.newest(project_id, most, span_id=target.span_id or "", **trace)
    under = own or calls.newest(project_id, most, parent_span_id=target.span_id or "", **trace) if trace else own
    if under or not target.trace_id or waited < SPAN_IS_PATIENT:
        return under
    return _by_trace(calls, project_id, target.trace_id, most)


def _by_tags(session: Session, project_id: str, target: Target, most: int) -> list[LogEntry]:
    if target.tags:
        found = LogEntryRepository(session).with_tags(project_id, target.tags, most)
        return _of_model(sorted(found, key=lambda call: call.id or 0), target.model)
    return LogTargets(session).newest(project_id, most, model=target.model) if target.model else []


def _of_model(found: list[LogEntry], model: str | None) -> list[LogEntry]:
    return [call for call in found if model in (None, call.model, call.served_model)]

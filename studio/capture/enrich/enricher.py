"""Enricher: reads calls after they are written and notes language, likeness and prompt template beside them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping
from sqlmodel import Session

from storage.database import Database
from storage.repositories.log_writes import LogWrites
from storage.repositories.templates import EnrichmentRepository, TemplateRepository
from storage.tables import PromptTemplate
from studio.capture.enrich.finder import Finder, Found
from studio.capture.enrich.language import language_of
from studio.capture.enrich.signature import signature
from studio.capture.enrich.template import Template, opening_of

FOLLOWER = "enrichment"
BATCH = 500
MOST_TEMPLATES = 200
"""Of one project; a project with more has prompts that no template describes."""
NAMED_BY = 60


@dataclass
class _Batch:
    """What was found out about the calls of one batch."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    earlier: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Calls of batches before whose template was found now."""
    used: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))


class Enricher:
    """Follows the log; one batch is one transaction, and what it reads twice it writes alike."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._finders: dict[str, Finder] = {}

    def once(self) -> int:
        """Enrich the next calls; how many there were."""
        with self.database.read() as session:
            enrichment = EnrichmentRepository(session)
            start = enrichment.position(FOLLOWER)
            calls = enrichment.after(start, BATCH)
        if not calls:
            return 0
        marked = [_marked(call) for call in calls]  # the slow part holds no transaction open
        with self.database.write() as session:
            LogWrites(session).lock_arrival()
            if not EnrichmentRepository(session).move(FOLLOWER, start, calls[-1]["id"]):
                return 0
            self._write(session, calls, marked)
        return len(calls)

    def _write(self, session: Session, calls: list[RowMapping], marked: list[dict[str, Any]]) -> None:
        try:
            batch = self._put_to_templates(session, calls, marked)
            enrichment = EnrichmentRepository(session)
            enrichment.write(batch.rows)
            for template_id, ids in batch.earlier.items():
                enrichment.assign(template_id, ids)
            _count(session, batch)
            LogWrites(session).changed(_touched(batch))
        except BaseException:
            self._finders.clear()  # they may know templates that are rolled back now
            raise

    def _put_to_templates(self, session: Session, calls: list[RowMapping], marked: list[dict[str, Any]]) -> _Batch:
        batch = _Batch()
        for call, row in zip(calls, marked, strict=True):
            batch.rows.append(row)
            row["template_id"] = self._template(session, call, batch)
            if row["template_id"]:
                batch.used[row["template_id"]].append(call["created_at"])
        return batch

    def _template(self, session: Session, call: RowMapping, batch: _Batch) -> str | None:
        finder = self._finder(session, call["project_id"])
        opening = opening_of(call["messages"])
        if not opening or (key := finder.fit(opening)):
            return key if opening else None
        found = finder.wait(call["id"], opening) if len(finder.known) < MOST_TEMPLATES else None
        if found is None:
            return None
        key = _keep(session, call, found)
        finder.learn(key, found.template)
        self._give_to_waiting(key, found, call, batch)
        return key

    def _give_to_waiting(self, key: str, found: Found, call: RowMapping, batch: _Batch) -> None:
        """The calls that waited get their template: those of this batch in their row, earlier ones by id."""
        here = {row["id"]: row for row in batch.rows}
        for number in found.numbers:
            if number == call["id"]:
                continue
            if number in here:
                here[number]["template_id"] = key
            else:
                batch.earlier[key].append(number)
            batch.used[key].append(call["created_at"])

    def _finder(self, session: Session, project_id: str) -> Finder:
        if project_id not in self._finders:
            finder = self._finders[project_id] = Finder()
            for row in TemplateRepository(session).of_project(project_id):
                finder.learn(row.id, Template.read(row.messages))
        return self._finders[project_id]


def _marked(call: RowMapping) -> dict[str, Any]:
    text = call["prompt_text"]
    return {"id": call["id"], "language": language_of(text), "signature": signature(text), "template_id": None}


def _keep(session: Session, call: RowMapping, found: Found) -> str:
    """The row of a template: the widened one, or a new one."""
    templates, template = TemplateRepository(session), found.template
    row = templates.get(found.widens) if found.widens else None
    row = row or templates.find_one(project_id=call["project_id"], fingerprint=template.fingerprint)
    seen = {"first_seen": call["created_at"], "last_seen": call["created_at"]}
    row = row or PromptTemplate(
        project_id=call["project_id"], fingerprint="", previous_id=found.edits, name=_name(template), **seen
    )
    row.fingerprint, row.messages = template.fingerprint, template.plain()
    return templates.add(row).id


def _name(template: Template) -> str:
    """Its first constant words."""
    parts = (part for skeleton in template.skeletons for part in skeleton.parts if part and part.strip())
    words = next(parts, "").split()
    name = " ".join(words)
    return name if len(name) <= NAMED_BY else name[:NAMED_BY].rsplit(" ", 1)[0] + " …"


def _count(session: Session, batch: _Batch) -> None:
    templates = TemplateRepository(session)
    for template_id, times in batch.used.items():
        templates.used(template_id, len(times), min(times), max(times))


def _touched(batch: _Batch) -> list[int]:
    return [row["id"] for row in batch.rows] + [number for ids in batch.earlier.values() for number in ids]

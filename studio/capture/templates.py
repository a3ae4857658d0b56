"""PromptTemplates: what the prompts of a project are made of, and whether they are still changing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff

from storage.database import Database
from storage.repositories.log_hours import LogHourRepository
from storage.repositories.templates import TemplateRepository
from storage.tables import PromptTemplate
from studio.capture.enrich.template import Template
from studio.errors import NotFound

GAP = "⟨…⟩"


@dataclass(frozen=True)
class TemplateRow:
    """A template as a list shows it."""

    id: str
    name: str
    text: str
    """Constant parts, with ⟨…⟩ where calls differ."""
    messages: list[tuple[str, tuple[str | None, ...]]]
    """(role, parts); None is a gap."""
    constant: int
    """Characters that every call sends alike: what a pruning rule could spare."""
    calls: int
    share: float
    """Of the project's calls, 0 to 1."""
    first_seen: datetime
    last_seen: datetime
    previous_id: str | None


class PromptTemplates:
    """Reads the templates that the enrichment found."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def all(self, project_id: str) -> list[TemplateRow]:
        """A project's templates, most used first."""
        with self.database.read() as session:
            calls = LogHourRepository(session).totals(project_id, None)[0] or 0
            return [_row(each, calls) for each in TemplateRepository(session).of_project(project_id) if each.calls]

    def get(self, template_id: str) -> TemplateRow:
        """One template. Raises NotFound."""
        with self.database.read() as session:
            found = TemplateRepository(session).get(template_id)
            if found is None:
                raise NotFound("This prompt template is gone. Choose another one.")
            return _row(found, LogHourRepository(session).totals(found.project_id, None)[0] or 0)

    def diff(self, template_id: str) -> list[str]:
        """Lines of the change since the template that this one is an edit of; `- ` gone, `+ ` new, `  ` the same."""
        now = self.get(template_id)
        if now.previous_id is None:
            return []
        before = self.get(now.previous_id)
        lines = unified_diff(before.text.splitlines(), now.text.splitlines(), n=3, lineterm="")
        return [f"{line[0]} {line[1:]}" for line in lines if not line.startswith(("---", "+++", "@@"))]


def _row(found: PromptTemplate, calls: int) -> TemplateRow:
    template = Template.read(found.messages)
    return TemplateRow(
        id=found.id,
        name=found.name,
        text=template.shown(GAP),
        messages=[(role, skeleton.parts) for role, skeleton in zip(template.roles, template.skeletons, strict=True)],
        constant=template.constant,
        calls=found.calls,
        share=min(1.0, found.calls / calls) if calls else 0.0,
        first_seen=found.first_seen,
        last_seen=found.last_seen,
        previous_id=found.previous_id,
    )

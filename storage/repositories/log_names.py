"""Names of what calls refer to by id: deployments, revisions, providers, API keys, prompt templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session, col, select

from storage.tables import ApiKey, Deployment, PromptTemplate, Provider, Revision

NAMED = {
    "deployment": (Deployment, Deployment.alias),
    "provider": (Provider, Provider.name),
    "api_key": (ApiKey, ApiKey.name),
    "template": (PromptTemplate, PromptTemplate.name),
}


class LogNameRepository:
    """Reads names of one project."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def of(self, noun: str, project_id: str, ids: Sequence[str]) -> dict[str, str]:
        """Names by id; what has none, or is gone, is left out."""
        if not ids:
            return {}
        if noun == "revision":
            return self._revisions(project_id, ids)
        if noun not in NAMED:
            return {}
        table, name = NAMED[noun]
        query: Any = select(table.id, name).where(table.project_id == project_id, col(table.id).in_(ids))  # type: ignore[attr-defined]
        return {number: label for number, label in self.session.exec(query) if label}

    def _revisions(self, project_id: str, ids: Sequence[str]) -> dict[str, str]:
        query = select(Revision.id, Deployment.alias, Revision.number).join(Deployment)
        found = self.session.exec(query.where(Deployment.project_id == project_id, col(Revision.id).in_(ids)))
        return {number: f"{alias} v{revision}" for number, alias, revision in found}

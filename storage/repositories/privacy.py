"""Queries over what projects decide about privacy, and over what stands behind pseudonyms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import select

from storage.repositories.base import Repository
from storage.tables import CapturePolicy, Pseudonym


class CapturePolicyRepository(Repository[CapturePolicy]):
    """One policy a project; a project without one keeps everything but keys."""

    table = CapturePolicy

    def everything(self) -> list[CapturePolicy]:
        """All policies."""
        return list(self.session.exec(select(CapturePolicy)))


class PseudonymRepository(Repository[Pseudonym]):
    """Sealed values by project and token."""

    table = Pseudonym

    def keep(self, project_id: str, pseudonyms: dict[str, dict[str, str]]) -> None:
        """Write those that are new; a known one stays as it is."""
        self.keep_rows(
            {"project_id": project_id, "token": token, "kind": each["kind"], "sealed": each["sealed"]}
            for token, each in pseudonyms.items()
        )

    def keep_rows(self, rows: Iterable[dict[str, Any]]) -> None:
        """The same for column values of many projects."""
        told = [Pseudonym(**row).model_dump() for row in rows]
        if told:
            dialect = sqlite if self.session.get_bind().dialect.name == "sqlite" else postgresql
            self.session.execute(dialect.insert(Pseudonym).on_conflict_do_nothing(), told)

"""Traffic per route and minute, as the gateways counted it, and answers given twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Deployment, Example, LogEntry, Model, Revision, ShadowPair, TrafficMinute

STEP = 500
KEY = ("deployment_id", "route", "minute", "gateway", "shadow")
COMPARED = ("live_text", "shadow_text", "live_ms", "shadow_ms", "error")
FIGURES = ("calls", "errors", "prompt_tokens", "completion_tokens", "latency", "first_token")


class TrafficRepository(Repository[TrafficMinute]):
    """Rows of one gateway process are written by that process alone."""

    table = TrafficMinute

    def put(self, rows: list[dict[str, Any]]) -> None:
        """Write minutes as they stand now; writing the same again changes nothing."""
        known = self._known({row["deployment_id"] for row in rows})
        rows = [row for row in rows if row["deployment_id"] in known]
        if not rows:
            return
        dialect = sqlite if self.session.get_bind().dialect.name == "sqlite" else postgresql
        new = dialect.insert(TrafficMinute)
        newer = {name: new.excluded[name] for name in FIGURES}
        self.session.execute(new.on_conflict_do_update(index_elements=list(KEY), set_=newer), rows)

    def between(self, deployment_id: str, since: int, until: int | None, shadow: bool) -> list[TrafficMinute]:
        """A deployment's minutes from `since` on, up to `until` but without it, in order of time."""
        query = select(TrafficMinute).where(
            col(TrafficMinute.deployment_id) == deployment_id,
            col(TrafficMinute.minute) >= since,
            col(TrafficMinute.shadow) == shadow,
        )
        if until is not None:
            query = query.where(col(TrafficMinute.minute) < until)
        return list(self.session.exec(query.order_by(col(TrafficMinute.minute), col(TrafficMinute.route))))

    def delete_before(self, minute: int) -> int:
        """Forget older minutes; how many."""
        done: Any = self.session.execute(delete(TrafficMinute).where(col(TrafficMinute.minute) < minute))
        return int(done.rowcount)

    def _known(self, deployment_ids: set[str]) -> set[str]:
        return set(self.session.exec(select(Deployment.id).where(col(Deployment.id).in_(deployment_ids))))


class ShadowPairRepository(Repository[ShadowPair]):
    """Calls that a shadow answered too."""

    table = ShadowPair

    def newest(self, deployment_id: str, revision_id: str | None = None, limit: int = 100) -> list[ShadowPair]:
        """A deployment's pairs, newest first; those of one shadow if it is given."""
        query = select(ShadowPair).where(col(ShadowPair.deployment_id) == deployment_id)
        if revision_id:
            query = query.where(col(ShadowPair.revision_id) == revision_id)
        return list(self.session.exec(query.order_by(col(ShadowPair.id).desc()).limit(limit)))

    def compared(
        self, deployment_id: str, revision_id: str, limit: int
    ) -> list[tuple[str, str, float, float, str | None]]:
        """Of a shadow's newest pairs: both texts, both milliseconds, and why the shadow gave no answer."""
        columns = [getattr(ShadowPair, name) for name in COMPARED]
        query: Any = select(*columns).where(
            col(ShadowPair.deployment_id) == deployment_id, col(ShadowPair.revision_id) == revision_id
        )
        return [tuple(row) for row in self.session.exec(query.order_by(col(ShadowPair.id).desc()).limit(limit))]

    def by_examples(self, ids: Sequence[str]) -> list[tuple[str, str, str]]:
        """Example, model and answer of every shadow that answered the calls behind these examples, newest first."""
        found: list[tuple[str, str, str]] = []
        for start in range(0, len(ids), STEP):
            query: Any = select(Example.id, Model.name, ShadowPair.shadow_text)
            query = query.join(LogEntry, col(LogEntry.id) == col(Example.log_entry_id))
            query = query.join(ShadowPair, col(ShadowPair.log_uid) == col(LogEntry.uid))
            query = query.join(Revision, col(Revision.id) == col(ShadowPair.revision_id))
            query = query.join(Model, col(Model.id) == col(Revision.model_id))
            query = query.where(col(Example.id).in_(ids[start : start + STEP]), col(ShadowPair.error).is_(None))
            rows = self.session.exec(query.order_by(col(ShadowPair.id).desc()))
            found += [(key, model, text) for key, model, text in rows]
        return found

    def put(self, rows: list[dict[str, Any]]) -> None:
        """Add pairs, whole rows, at once."""
        if rows:
            self.session.execute(insert(ShadowPair), rows)

    def delete_before(self, moment: datetime) -> int:
        """Forget older pairs; how many."""
        done: Any = self.session.execute(delete(ShadowPair).where(col(ShadowPair.created_at) < moment))
        return int(done.rowcount)

"""An alias with a shadow that has answered calls."""

from __future__ import annotations

from itertools import count

from storage.database import Database
from storage.tables import Deployment, Model, Project, Revision, ShadowPair

NUMBERS = count(1)


def shadow_of(database: Database, project: Project, name: str = "student", alias: str = "triage") -> Revision:
    """A ready revision of this model behind the alias, both made now."""
    with database.write() as session:
        deployment = Deployment(project_id=project.id, alias=alias)
        model = Model(project_id=project.id, name=name, kind="tuned")
        session.add_all([deployment, model])
        session.flush()
        made = Revision(deployment_id=deployment.id, model_id=model.id, number=1, state="ready", endpoint="http://x")
        session.add(made)
    return made


def answered_twice(
    database: Database, shadow: Revision, uid: str, live: str, answer: str, error: str | None = None, ms: float = 10.0
) -> None:
    """The shadow's answer to a call that was answered already."""
    with database.write() as session:
        session.add(
            ShadowPair(
                id=f"{next(NUMBERS):020d}",  # two ids of the same millisecond are in no order
                deployment_id=shadow.deployment_id,
                revision_id=shadow.id,
                log_uid=uid,
                live_text=live,
                live_ms=2 * ms,
                shadow_text="" if error else answer,
                shadow_ms=ms,
                error=error,
            )
        )

"""Who a new revision is compared with: the route that answers most calls now, and what the gateway measured of it."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session

from storage.database import Database
from storage.repositories.deployments import ReleaseRepository
from storage.tables import Model, Revision
from storage.types import now
from studio.deploy.asking import client_for
from studio.deploy.gates import LiveFigures
from studio.deploy.rollout import key_of
from studio.deploy.traffic import RouteStats, Traffic
from studio.settings import Settings

LATELY = timedelta(days=1)


def live_figures(database: Database, settings: Settings, revision: Revision) -> LiveFigures | None:
    """None when nobody else has traffic. A provider's model is not asked: its answers cost money."""
    with database.read() as session:
        newest = ReleaseRepository(session).current(revision.deployment_id)
        others = [route for route in (newest.routes if newest else []) if route["revision_id"] != revision.id]
        heaviest = max(others, key=lambda route: float(route["weight"]), default=None)
        if heaviest is None or not heaviest["weight"]:
            return None
        rival = session.get(Revision, heaviest["revision_id"]) if heaviest["revision_id"] else None
        name = _name(session, heaviest["model_id"], rival)
    stats = Traffic(database).stats(revision.deployment_id, now() - LATELY).get(key_of(heaviest), RouteStats())
    asked = client_for(settings, rival) if rival and rival.state == "ready" and rival.endpoint else None
    return LiveFigures(name, asked, stats.p50_ms, stats.p95_ms, stats.calls)


def _name(session: Session, model_id: str, rival: Revision | None) -> str:
    return f"revision {rival.number}" if rival else session.get_one(Model, model_id).name

"""Queries over deployments, their releases, revisions and events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import defer
from sqlmodel import col, select

from storage.repositories.base import Repository
from storage.tables import Deployment, DeploymentEvent, Model, Provider, Release, Revision

ENDED_STATES = ("stopped", "failed")


class DeploymentRepository(Repository[Deployment]):
    """Aliases, and all that the routing table reads: once a second, so proofs and evidence are left where they are."""

    table = Deployment

    def newest_releases(self) -> list[tuple[Deployment, Release]]:
        """Every deployment with the release in force, without its evidence."""
        newest = (
            select(col(Release.deployment_id), func.max(col(Release.number)).label("number"))
            .group_by(col(Release.deployment_id))
            .subquery()
        )
        query = (
            select(Deployment, Release)
            .options(defer(col(Release.evidence)))  # type: ignore[arg-type]
            .join(Release, col(Release.deployment_id) == col(Deployment.id))
            .join(
                newest,
                (newest.c.deployment_id == col(Release.deployment_id)) & (newest.c.number == col(Release.number)),
            )
        )
        return [(deployment, release) for deployment, release in self.session.exec(query)]

    def hold(self, deployment_id: str) -> None:
        """Until the transaction ends nobody else holds it, so that of two who change its traffic one comes second."""
        self.session.exec(select(Deployment.id).where(col(Deployment.id) == deployment_id).with_for_update()).first()

    def earlier_routes(self, deployment_id: str, number: int) -> Iterator[list[dict[str, Any]]]:
        """The splits before this release, newest first, read as far as they are looked at."""
        query = select(Release.routes).where(col(Release.deployment_id) == deployment_id, col(Release.number) < number)
        for routes in self.session.exec(query.order_by(col(Release.number).desc())):
            yield list(routes)

    def ready_revisions(self) -> list[Revision]:
        """Revisions that may answer calls now, without their certificates."""
        query = select(Revision).where(col(Revision.state) == "ready", col(Revision.endpoint) != "")
        return list(self.session.exec(query.options(defer(col(Revision.certificate)))))  # type: ignore[arg-type]

    def providers(self) -> list[Provider]:
        """Every provider, oldest first."""
        return list(self.session.exec(select(Provider).order_by(col(Provider.created_at))))

    def models(self) -> list[Model]:
        """Every registered model, without its facts: a tuned one's golden answers are a hundred kilobytes."""
        return list(self.session.exec(select(Model).options(defer(col(Model.facts)))))  # type: ignore[arg-type]


class RevisionRepository(Repository[Revision]):
    """Served models."""

    table = Revision

    def of(self, deployment_id: str) -> list[Revision]:
        """A deployment's revisions, newest first."""
        query = select(Revision).where(col(Revision.deployment_id) == deployment_id)
        return list(self.session.exec(query.order_by(col(Revision.number).desc())))

    def next_number(self, deployment_id: str) -> int:
        """The number the next revision gets."""
        query = select(func.max(col(Revision.number))).where(col(Revision.deployment_id) == deployment_id)
        return (self.session.exec(query).one() or 0) + 1

    def to_reconcile(self) -> list[Revision]:
        """Revisions whose server should run, and those that still hold one though it should not."""
        wanted = (col(Revision.desired) == "running") & col(Revision.state).not_in(ENDED_STATES)
        unwanted = (col(Revision.desired) == "stopped") & (
            (col(Revision.handle) != "") | col(Revision.state).not_in(ENDED_STATES)
        )
        return list(self.session.exec(select(Revision).where(wanted | unwanted)))

    def with_server(self) -> list[Revision]:
        """Revisions that hold a server."""
        return list(self.session.exec(select(Revision).where(col(Revision.handle) != "")))


class ReleaseRepository(Repository[Release]):
    """Traffic splits."""

    table = Release

    def of(self, deployment_id: str) -> list[Release]:
        """A deployment's releases, newest first."""
        query = select(Release).where(col(Release.deployment_id) == deployment_id)
        return list(self.session.exec(query.order_by(col(Release.number).desc())))

    def current(self, deployment_id: str) -> Release | None:
        """The release in force."""
        query = select(Release).where(col(Release.deployment_id) == deployment_id)
        return self.session.exec(query.order_by(col(Release.number).desc()).limit(1)).first()

    def append(self, deployment_id: str, routes: list[dict[str, Any]], **facts: Any) -> Release:
        """Put a new split in force."""
        newest = self.current(deployment_id)
        number = (newest.number if newest else 0) + 1
        return self.add(Release(deployment_id=deployment_id, number=number, routes=routes, **facts))


class EventRepository(Repository[DeploymentEvent]):
    """What happened, append-only."""

    table = DeploymentEvent

    def newest(self, deployment_id: str, limit: int = 50) -> list[DeploymentEvent]:
        """A deployment's events, newest first."""
        query = select(DeploymentEvent).where(col(DeploymentEvent.deployment_id) == deployment_id)
        return list(self.session.exec(query.order_by(col(DeploymentEvent.id).desc()).limit(limit)))

    def of_revision(self, revision_id: str, what: str, limit: int = 10) -> list[DeploymentEvent]:
        """A revision's events of one kind, newest first."""
        query = select(DeploymentEvent).where(
            col(DeploymentEvent.revision_id) == revision_id, col(DeploymentEvent.what) == what
        )
        return list(self.session.exec(query.order_by(col(DeploymentEvent.id).desc()).limit(limit)))

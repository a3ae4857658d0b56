"""Deployments: aliases, the revisions behind them, and who gets which share of the calls."""

from __future__ import annotations

from dataclasses import replace

from storage.repositories.deployments import (
    DeploymentRepository,
    EventRepository,
    ReleaseRepository,
    RevisionRepository,
)
from storage.tables import Deployment, DeploymentEvent, Release, Revision
from studio.deploy.guard import watched
from studio.deploy.guardrail import Verdict
from studio.deploy.overview import Overview, overview
from studio.deploy.releasing import Releasing
from studio.deploy.rows import deployment_of, revision_of
from studio.deploy.serving import Serving
from studio.deploy.splitting import Splitting


class Deployments(Releasing, Serving, Splitting):
    """Everything about an alias: its verbs are in `releasing` (traffic), `serving` (servers) and `splitting`
    (providers), its questions here.
    """

    def all(self, project_id: str) -> list[Deployment]:
        """The project's aliases, oldest first."""
        with self.database.read() as session:
            return DeploymentRepository(session).find(project_id=project_id)

    def get(self, deployment_id: str) -> Deployment:
        """An alias. Raises NotFound."""
        with self.database.read() as session:
            return deployment_of(session, deployment_id)

    def find(self, project_id: str, alias: str) -> Deployment | None:
        """The alias of this name, if there is one."""
        with self.database.read() as session:
            return DeploymentRepository(session).find_one(project_id=project_id, alias=alias)

    def current(self, deployment_id: str) -> Release | None:
        """The split in force; None before the first."""
        with self.database.read() as session:
            return ReleaseRepository(session).current(deployment_id)

    def releases(self, deployment_id: str) -> list[Release]:
        """Every split there was, newest first."""
        with self.database.read() as session:
            return ReleaseRepository(session).of(deployment_id)

    def revision(self, revision_id: str) -> Revision:
        """A revision. Raises NotFound."""
        with self.database.read() as session:
            return revision_of(session, revision_id)

    def revisions(self, deployment_id: str) -> list[Revision]:
        """The alias's revisions, newest first."""
        with self.database.read() as session:
            return RevisionRepository(session).of(deployment_id)

    def overview(self, deployment_id: str) -> Overview:
        """Shares, shadows, revisions, releases, events and the next move, as the Deploy page shows them."""
        with self.database.read() as session:
            found = overview(session, deployment_id)
        return replace(found, verdicts=self._verdicts(found.deployment, found.releases))

    def verdicts(self, deployment_id: str) -> dict[str, Verdict]:
        """What the guardrail says now of each revision it watches: `overview` without the rest, to ask often."""
        with self.database.read() as session:
            deployment, releases = deployment_of(session, deployment_id), ReleaseRepository(session).of(deployment_id)
        return self._verdicts(deployment, releases)

    def _verdicts(self, deployment: Deployment, releases: list[Release]) -> dict[str, Verdict]:
        return {watch.revision_id: watch.verdict for watch in watched(self.database, deployment, releases)}

    def events(self, deployment_id: str, limit: int = 50) -> list[DeploymentEvent]:
        """What happened, newest first."""
        with self.database.read() as session:
            return EventRepository(session).newest(deployment_id, limit)

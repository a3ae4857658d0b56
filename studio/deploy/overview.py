"""What one alias looks like now: who answers which share, its revisions, and the next sensible move."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from storage.repositories.deployments import (
    DeploymentRepository,
    EventRepository,
    ReleaseRepository,
    RevisionRepository,
)
from storage.tables import Deployment, DeploymentEvent, Model, Release, Revision
from studio.deploy.rollout import in_effect
from studio.errors import NotFound

FIRST_STEP = 20.0
EVENTS = 50


@dataclass(frozen=True)
class Share:
    """One route of the split in force."""

    name: str
    weight: float
    revision: Revision | None
    usable: bool
    """Whether calls can go there now."""

    @property
    def standby(self) -> bool:
        """Answers only when the weighted routes cannot."""
        return self.weight == 0


@dataclass(frozen=True)
class RevisionView:
    """A revision with its model and its present share."""

    revision: Revision
    model: Model
    weight: float


@dataclass(frozen=True)
class Promotion:
    """The next step up for a revision."""

    revision: Revision
    percent: float


@dataclass(frozen=True)
class Overview:
    """Everything the Deploy page shows of one alias."""

    deployment: Deployment
    release: Release | None
    shares: list[Share]
    revisions: list[RevisionView]
    events: list[DeploymentEvent]
    undoable: Release | None
    """The release an undo would go back to."""

    @property
    def promotion(self) -> Promotion | None:
        """The newest ready revision's next step: a first share, then all of it; None when there is none to take."""
        newest = next((view for view in self.revisions if view.revision.state == "ready"), None)
        if newest is None or newest.weight >= 100:
            return None
        alone = not self.shares
        return Promotion(newest.revision, FIRST_STEP if newest.weight == 0 and not alone else 100.0)


def overview(session: Session, deployment_id: str) -> Overview:
    """Read it all in one go. Raises NotFound."""
    deployment = DeploymentRepository(session).get(deployment_id)
    if deployment is None:
        raise NotFound("This deployment no longer exists. Reload the page.")
    releases = ReleaseRepository(session).of(deployment_id)
    effective = in_effect(releases)
    rows = RevisionRepository(session).of(deployment_id)
    release = releases[0] if releases else None
    weights = {route["revision_id"]: float(route["weight"]) for route in (release.routes if release else [])}
    return Overview(
        deployment=deployment,
        release=release,
        shares=_shares(session, release, rows),
        revisions=[RevisionView(row, session.get_one(Model, row.model_id), weights.get(row.id, 0.0)) for row in rows],
        events=EventRepository(session).newest(deployment_id, EVENTS),
        undoable=effective[-2] if len(effective) > 1 else None,
    )


def _shares(session: Session, release: Release | None, rows: list[Revision]) -> list[Share]:
    by_id = {row.id: row for row in rows}
    shares = []
    for route in release.routes if release else []:
        revision = by_id.get(route["revision_id"] or "")
        model = session.get_one(Model, route["model_id"])
        name = f"{model.name} (revision {revision.number})" if revision else model.name
        usable = revision is None or revision.state == "ready"
        shares.append(Share(name, float(route["weight"]), revision, usable))
    return sorted(shares, key=lambda share: -share.weight)

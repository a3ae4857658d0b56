"""What one alias looks like now: who answers which share, its revisions, and the next sensible move."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlmodel import Session

from storage.repositories.deployments import (
    DeploymentRepository,
    EventRepository,
    ReleaseRepository,
    RevisionRepository,
)
from storage.tables import Deployment, DeploymentEvent, Model, Release, Revision
from studio.deploy.guardrail import Verdict
from studio.deploy.rollout import Step, in_effect, next_step
from studio.errors import NotFound

EVENTS = 50
RELEASES = 50


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
class Shadow:
    """A revision that answers copies of calls."""

    name: str
    percent: float
    revision: Revision
    usable: bool


@dataclass(frozen=True)
class RevisionView:
    """A revision with its model, its present share, and what it could do next."""

    revision: Revision
    model: Model
    weight: float
    shadow: float = 0.0
    """Percent of the calls whose copies it answers."""
    next_step: Step | None = None
    """None while it is not ready, or has everything."""


@dataclass(frozen=True)
class Promotion:
    """The next step up for a revision."""

    revision: Revision
    step: Step

    @property
    def percent(self) -> float:
        """Of the calls, or of their copies."""
        return self.step.percent

    @property
    def is_shadow(self) -> bool:
        """Copies first."""
        return self.step.shadow

    @property
    def label(self) -> str:
        """As on a button: "Shadow 20 %", "5 %"."""
        return self.step.label


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
    shadows: list[Shadow] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    """The newest first, each with its evidence."""
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    """What the guardrail says now of each revision it watches, by id."""

    @property
    def promotion(self) -> Promotion | None:
        """The newest ready revision's next step; None when there is none to take."""
        newest = next((view for view in self.revisions if view.revision.state == "ready"), None)
        return Promotion(newest.revision, newest.next_step) if newest and newest.next_step else None


def overview(session: Session, deployment_id: str) -> Overview:
    """Read it all in one go. Raises NotFound."""
    deployment = DeploymentRepository(session).get(deployment_id)
    if deployment is None:
        raise NotFound("This deployment no longer exists. Reload the page.")
    releases = ReleaseRepository(session).of(deployment_id)
    effective = in_effect(releases)
    rows = RevisionRepository(session).of(deployment_id)
    release = releases[0] if releases else None
    return Overview(
        deployment=deployment,
        release=release,
        shares=_shares(session, release, rows),
        shadows=_shadows(session, release, rows),
        revisions=[_view(session, release, row) for row in rows],
        releases=releases[:RELEASES],
        events=EventRepository(session).newest(deployment_id, EVENTS),
        undoable=effective[-2] if len(effective) > 1 else None,
    )


def _view(session: Session, release: Release | None, row: Revision) -> RevisionView:
    routes, shadows = (release.routes, release.shadows) if release else ([], [])
    return RevisionView(
        row,
        session.get_one(Model, row.model_id),
        weight=float(sum(route["weight"] for route in routes if route["revision_id"] == row.id)),
        shadow=float(sum(shadow["percent"] for shadow in shadows if shadow["revision_id"] == row.id)),
        next_step=next_step(routes, shadows, row.id) if row.state == "ready" else None,
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


def _shadows(session: Session, release: Release | None, rows: list[Revision]) -> list[Shadow]:
    percents = {shadow["revision_id"]: float(shadow["percent"]) for shadow in (release.shadows if release else [])}
    return [
        Shadow(
            f"{session.get_one(Model, row.model_id).name} (revision {row.number})",
            percents[row.id],
            row,
            row.state == "ready",
        )
        for row in rows
        if row.id in percents
    ]

"""What is known of a model, for its card: data, run, base, licence, scores, and who let it have traffic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session, col, select

from storage.tables import Dataset, DatasetVersion, Model, Release, TrainingRun
from studio.deploy.evidence import known_of


@dataclass(frozen=True)
class Lineage:
    """A model and where it came from; what is not known is empty."""

    name: str
    digest: str
    parameters: int = 0
    architecture: str = ""
    base: str = ""
    base_hub_id: str = ""
    base_licence: str = ""
    method: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    recipe_digest: str = ""
    seed: int = 0
    dataset: str = ""
    dataset_version: int | None = None
    train_rows: int = 0
    golden_rows: int = 0
    scores: dict[str, Any] = field(default_factory=dict)
    """As the newest evaluation has them: {"exact_match": {"mean", "low", "high", "n"}, ...}."""
    evaluated_on: str = ""
    card: dict[str, Any] = field(default_factory=dict)
    """The training run's own card: learned, fails, overfit, forgot."""
    approvals: tuple[str, ...] = ()
    """One sentence per release that gave it traffic."""


def lineage_of(session: Session, model: Model) -> Lineage:
    """Read it all in one go."""
    run = session.get(TrainingRun, model.training_run_id or "")
    version = session.get(DatasetVersion, run.dataset_version_id) if run else None
    base = session.get(Model, model.parent_id or (run.base_model_id if run else ""))
    known, root = known_of(session, model), _root(session, base)
    return Lineage(
        name=model.name,
        digest=model.digest,
        parameters=model.parameters,
        architecture=str((model.facts or {}).get("architecture") or ""),
        base=base.name if base else "",
        base_hub_id=base.hub_id if base else "",
        base_licence=str(((root.facts if root else None) or {}).get("licence") or ""),
        method=run.method if run else "",
        recipe=dict(run.recipe) if run else {},
        recipe_digest=run.recipe_digest if run else "",
        seed=run.seed if run else 0,
        dataset=session.get_one(Dataset, version.dataset_id).name if version else "",
        dataset_version=version.number if version else None,
        train_rows=version.train_rows if version else 0,
        golden_rows=version.golden_rows if version else 0,
        scores=known["scores"],
        evaluated_on=known["evaluated_on"],
        card=dict(run.card) if run else {},
        approvals=_approvals(session, model),
    )


def _root(session: Session, base: Model | None) -> Model | None:
    """The base that the first of its line started from; its licence holds for all that follow."""
    while base is not None and base.parent_id:
        base = session.get(Model, base.parent_id)
    return base


def _approvals(session: Session, model: Model) -> tuple[str, ...]:
    releases = session.exec(select(Release).order_by(col(Release.created_at)))
    return tuple(
        f"{release.created_at:%Y-%m-%d}: {release.created_by or 'the studio'} gave it {route['weight']:g} % of the"
        f" calls ({release.reason})"
        for release in releases
        for route in release.routes
        if route["model_id"] == model.id and route.get("revision_id") and route["weight"]
    )

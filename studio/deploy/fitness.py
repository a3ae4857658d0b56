"""Whether a model fits a target: in which form it is pushed, what speaks against it, and where its files are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from storage.artifacts import Artifacts
from storage.tables import Model
from studio.deploy.artifact import Problem, adapter_of, chosen_form, export, preflight_model
from studio.deploy.artifact.forms import ADAPTER, MERGED, adapter_digest
from studio.deploy.published import source_at
from studio.deploy.targets.catalog import serving_target
from studio.deploy.targets.port import Choosy, Place
from studio.errors import Conflict
from studio.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """A model on a target, as somebody asked for it."""

    model: Model
    kind: str
    form: str = "auto"
    place: Place | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitness:
    """What became of it."""

    form: str
    why: str
    digest: str
    """Of the bytes that are pushed."""
    notes: list[str]
    """What does not stand in the way, and should be known."""


@dataclass(frozen=True)
class Folders:
    """Where a server finds the weights on this host."""

    model: Path
    """Whole weights; for an adapter, its base's."""
    adapter: Path | None = None


def problems(artifacts: Artifacts, settings: Settings, wanted: Wanted) -> list[Problem]:
    """What speaks against it, blocking problems first; nothing is copied."""
    target = serving_target(wanted.kind, wanted.place)
    first = target.refusals(source_at(wanted.model, wanted.kind)) if isinstance(target, Choosy) else []
    return [Problem(text) for text in first] + preflight_model(
        artifacts, settings, wanted.model, wanted.kind, wanted.form, wanted.place, wanted.options
    )


def examine(artifacts: Artifacts, settings: Settings, wanted: Wanted) -> Fitness:
    """Settle the form. Raises Conflict with every blocking problem and the target that can."""
    found = problems(artifacts, settings, wanted)
    if blocking := [problem.text for problem in found if problem.blocking]:
        raise Conflict(" ".join(blocking))
    notes = [problem.text for problem in found]
    if not serving_target(wanted.kind, wanted.place).caps.needs_weights:
        return Fitness(
            MERGED, "The weights there are not pushed by us; the gates judge them.", wanted.model.digest, notes
        )
    choice = chosen_form(artifacts, wanted.model, wanted.kind, wanted.form, wanted.place)
    digest = adapter_digest(wanted.model) if choice.form == ADAPTER else wanted.model.digest
    return Fitness(choice.form, choice.why, digest, notes)


def folders(artifacts: Artifacts, settings: Settings, model: Model, form: str) -> Folders:
    """Laid out and checked. Raises Conflict with the reason."""
    whole = export(artifacts, settings, model, form)
    return Folders(whole, adapter_of(artifacts, settings, model) if form == ADAPTER else None)

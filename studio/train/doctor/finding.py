"""What the doctor says, and what it looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from storage.tables import Model
from studio.curate.snapshot import VersionData
from studio.train.data import TrainingData
from studio.train.machine import Device
from studio.train.plan import Plan
from studio.train.weights import Endings

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One thing the doctor noticed. An `error` stops the run; a `warning` does not."""

    severity: str
    """error, warning, info."""
    text: str
    fix: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)
    """Values of the plan that put it right, where changing some does."""
    page: str = ""
    """The page where it is put right."""

    @property
    def sentence(self) -> str:
        """What is wrong and what to do."""
        return f"{self.text} {self.fix}".strip()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a rehearsal keeps them."""
        facts = {"severity": self.severity, "text": self.text, "fix": self.fix}
        return facts | {"overrides": self.overrides, "page": self.page}


@dataclass(frozen=True)
class Case:
    """Everything that is known before a run without loading a model."""

    version: VersionData
    plan: Plan
    template: str | None
    """The base's chat template: "" when it has none, None while the model is not here yet."""
    disk: Path
    """Where the run's folder will be."""
    lines: TrainingData
    """What the method learns from."""
    device: Device | None = None
    """The processor it runs on, where that is known."""
    base: Model | None = None
    endings: Endings | None = None
    """What the base's answers end with, and what a server stops at."""

    def value(self, name: str, default: Any = None) -> Any:
        """A value of the plan, or the default where the plan has none of that name."""
        return next((choice.value for choice in self.plan.values if choice.name == name), default)


class Check(Protocol):
    """Looks at one thing."""

    def __call__(self, case: Case) -> Iterator[Finding]:
        """What it noticed."""
        ...


def worst_first(found: list[Finding]) -> list[Finding]:
    """Errors, then warnings, then the rest; each in the order it was noticed."""
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def shown(text: str, limit: int = 40) -> str:
    """A piece of captured text, short enough for a sentence."""
    plain = " ".join(text.split())
    return plain if len(plain) <= limit else f"{plain[: limit - 1]}…"

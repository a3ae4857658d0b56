"""What every gate is given and gives: a Round in, a Finding out; a GateResult is what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from storage.types import now
from studio.deploy.client import Said, ServerClient
from studio.deploy.gates.recorded import GoldenPrompt
from studio.deploy.gates.smoke_rules import SmokePrompt

Finding = tuple[bool, dict[str, Any]]
"""Whether it passed, and the evidence; what failed says why under "why"."""
Report = Callable[[str, float], None]
"""Told the gate's name and how much of it is done (0..1). It may raise to stop."""
LATENCY_FACTOR = 1.5
NO_GOLDEN = (
    "No golden answers were recorded for this model, so nothing can prove that its weights answer. "
    "Train it here, or let an admin override the gates with a reason."
)


@dataclass(frozen=True)
class LiveFigures:
    """The revision that answers now, to be no slower than: its server, or what the gateway measured of it."""

    name: str
    client: ServerClient | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    calls: int = 0


@dataclass(frozen=True)
class Subject:
    """What a server is judged by."""

    golden: list[GoldenPrompt]
    smoke: tuple[SmokePrompt, ...] = ()
    live: LiveFigures | None = None
    base_name: str = "its base"
    latency_factor: float = LATENCY_FACTOR
    slack: float = 0.0
    """Share of golden answers that may differ all the same: above 0 only for weights that the target rounds itself."""


@dataclass
class Round:
    """One judgement of one server; what an early gate learned is there for a later one."""

    client: ServerClient
    subject: Subject
    step: Callable[[float], None] = lambda _share: None
    said: list[Said] = field(default_factory=list)
    """Answers to the golden prompts, in their order; empty until the golden gate has asked."""


class Gate(Protocol):
    """One question to a server, with its evidence. May raise Unavailable, which is a failure with that reason."""

    def __call__(self, judged: Round) -> Finding:
        """Ask, and judge."""
        ...


@dataclass(frozen=True)
class GateResult:
    """What one gate found."""

    gate: str
    passed: bool
    evidence: dict[str, Any]

    def record(self) -> dict[str, Any]:
        """As stored in a revision's certificate."""
        return {"gate": self.gate, "passed": self.passed, "evidence": self.evidence, "at": now().isoformat()}

"""HostedTrainer: a company that trains for you. Upload, start, ask, cancel, and the name of what came out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "unknown"]
ENDED: frozenset[State] = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True)
class HostedSpec:
    """One run as a hosted trainer needs it: our rows, our recipe, and which model of theirs to start from."""

    run_id: str
    """Ours; a start whose answer was lost is found again by it."""
    name: str
    """What the tuned model is to be called."""
    method: str
    base: str
    """Hub id or name of the base; a place may say which of its own models stands for it."""
    folder: Path
    """The run's folder: `data/train.jsonl`, perhaps `data/eval.jsonl`; uploads are written to `upload/` in it."""
    recipe: dict[str, Any] = field(default_factory=dict)
    tokens: int = 0
    """Tokens of one epoch, where somebody counted them; for prices that go by the token."""


@dataclass(frozen=True)
class Price:
    """What a run would cost, and how that is known."""

    usd: float
    sentence: str


@dataclass(frozen=True)
class HostedStatus:
    """Where the run is at the trainer's."""

    state: State
    progress: float | None = None
    """0..1, where the trainer tells it."""
    reason: str = ""
    """Why it failed, or what it is waiting for, in the trainer's words."""
    wait_s: float | None = None
    """How long the trainer asks us to wait before we ask again."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


@dataclass(frozen=True)
class HostedResult:
    """What came out."""

    model: str
    """The trainer's name of the tuned model."""
    base_url: str = ""
    """OpenAI-compatible address that answers with it; empty where the company does not serve it so."""
    note: str = ""
    """What must be done before it answers, if anything."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Tokens trained, the job's id, where its files are ..."""


class HostedTrainer(Protocol):
    """Every call may be repeated: `start` with the same run gives the same handle, `cancel` of a dead run does nothing.

    Raises Unavailable when the company does not answer, refuses the key or is too busy; InvalidInput when it refuses
    the run itself.
    """

    kind: str
    label: str
    methods: tuple[str, ...]
    """Names in `studio.train.methods`."""

    def check(self) -> str:
        """One sentence about the account that the key opens. Raises Unavailable."""
        ...

    def price(self, spec: HostedSpec) -> Price | None:
        """What the run would cost; None where nobody knows."""
        ...

    def start(self, spec: HostedSpec) -> str:
        """Upload the rows and start; the handle of the run at the trainer's, an old one where it runs already."""
        ...

    def status(self, handle: str) -> HostedStatus:
        """How far it is."""
        ...

    def cancel(self, handle: str) -> None:
        """Stop it."""
        ...

    def result(self, handle: str) -> HostedResult:
        """What came out of a run that succeeded. Raises Conflict before that."""
        ...

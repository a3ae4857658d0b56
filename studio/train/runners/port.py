"""Runner: one way to have a run carried out by another process, cluster or company. Every call may be repeated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

State = Literal["queued", "starting", "running", "succeeded", "failed", "cancelled", "lost", "unknown"]
ENDED: frozenset[State] = frozenset({"succeeded", "failed", "cancelled", "lost"})
SUMMARY, ERROR = "summary.json", "error.json"
PYTHON, FOLDER = "{python}", "{folder}"
"""Stand for the interpreter and the run's folder as the place that runs it sees them."""
ONE_PROCESS = (PYTHON, "-m", "studio.train.recipes.run", FOLDER)


@dataclass(frozen=True)
class Resources:
    """What a run reserves."""

    gpus: float = 0
    cpus: float = 0
    memory_gb: float = 0


@dataclass(frozen=True)
class RunSpec:
    """One run as every place gets it: a folder that is laid out, and a command that reads nothing else."""

    run_id: str
    folder: Path
    argv: tuple[str, ...] = ONE_PROCESS
    env: dict[str, str] = field(default_factory=dict)
    base: str = ""
    """`hub id@commit` of a base that the place fetches itself instead of being sent it; empty sends `base/`."""
    resources: Resources = field(default_factory=Resources)
    timeout_s: float = 0
    """After so many seconds the job ends itself; 0 is never."""
    start_within_s: float = 0
    """A job that gets its turn later than this ends itself; 0 waits forever."""


@dataclass(frozen=True)
class RunState:
    """Where a run is. `unknown` (nobody answers) is not `lost` (it is known to be gone) and not `failed`."""

    state: State
    exit_code: int | None = None
    reason: str = ""
    progress: float | None = None
    """0..1, where the place tells it; elsewhere the run's own events do."""
    wait_s: float | None = None
    """How long the place asks us to wait before we ask again."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


class Runner(Protocol):
    """A place that runs a job. A handle is an opaque word kept in the run's row; it names one attempt for good."""

    in_place: bool
    """Whether the job works in the very folder it was given, so that its events and results are there already."""

    def submit(self, spec: RunSpec, attempt: int) -> str:
        """Start it, unless this very attempt was started before: the same handle either way.

        Raises InvalidInput when the place refuses the run, Unavailable when it is not known whether it was taken.
        """
        ...

    def status(self, handle: str) -> RunState:
        """Where it is; `unknown` when the place does not answer. Never raises for that."""
        ...

    def logs(self, handle: str, offset: int) -> tuple[bytes, int]:
        """What was printed after byte `offset`, and the offset to ask from next time. Raises Unavailable."""
        ...

    def cancel(self, handle: str, grace_s: float) -> None:
        """Ask it to stop, and make it after the grace. Raises Unavailable."""
        ...

    def collect(self, handle: str, folder: Path) -> None:
        """Bring what an ended attempt made (summary, adapter or merged model) into the run's folder."""
        ...

    def forget(self, handle: str) -> None:
        """Clear away at the place what an attempt left whose results are home. Raises Unavailable."""
        ...

    def list_mine(self) -> Iterable[str]:
        """Handles of every attempt that the place still knows and that came from here."""
        ...


def handle_of(run_id: str, attempt: int) -> str:
    """Our own name of an attempt: asking by it first is what makes `submit` safe to repeat."""
    return f"{run_id}-a{attempt}"

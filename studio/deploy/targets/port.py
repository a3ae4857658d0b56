"""The port every serving target fills: launch, look, stop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Launch:
    """What a target needs to start one revision's server."""

    revision_id: str
    served_name: str
    """The name the server must answer to, and no other."""
    model_folder: Path
    """The weights in portable form."""
    folder: Path
    """The server's own folder: key, log, what is needed to find it again."""
    api_key: str
    parameters: int = 0
    """Size of the model, 0 if unknown."""
    options: dict[str, Any] | None = None
    """The revision's settings for this target."""


@dataclass(frozen=True)
class Running:
    """A server that was started or found."""

    handle: str
    """The target's own id of it."""
    endpoint: str
    """Root address, without /v1."""
    dialect: str = "tgi"


@dataclass(frozen=True)
class Look:
    """What can be seen of a server from outside its API."""

    alive: bool
    log_tail: str = ""


class ServingTarget(Protocol):
    """A place that serves models."""

    needs_weights: bool
    """Whether we hand it the model's files."""

    def launch(self, launch: Launch) -> Running:
        """Start the server, or find it if this revision's runs already. Returns at once; it may still be loading."""
        ...

    def look(self, handle: str, folder: Path) -> Look:
        """Whether it lives, and the end of its log."""
        ...

    def stop(self, handle: str, now: bool = False) -> None:
        """Ask it to finish what it is answering and leave; `now` ends it at once."""
        ...

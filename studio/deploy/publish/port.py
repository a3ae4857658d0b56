"""Destination: a place that keeps a published model. One method; one file per kind of place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Report = Callable[[float, str], None]


@dataclass(frozen=True)
class Published:
    """Where it is now."""

    where: str
    """As a person would open it."""
    revision: str = ""
    """The place's own name of this state, such as a commit."""
    repository: str = ""
    """On the Hub: organisation/name."""
    company: str = ""
    """fireworks or together, where it was uploaded to be served there."""
    model: str = ""
    """That company's full name of it."""


class Destination(Protocol):
    """Puts files there whole or not at all; doing it twice with the same files changes nothing."""

    def put(self, files: dict[str, Path], report: Report) -> Published:
        """Send the files, by their path there. Raises Unavailable, Conflict or InvalidInput with the reason."""
        ...

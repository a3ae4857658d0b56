"""The port every serving target fills: launch, look, stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from studio.access.places import Health


@dataclass(frozen=True)
class Place:
    """A configured place, as a target is built with it; the default is this machine."""

    name: str = ""
    url: str = ""
    key: str = field(default="", repr=False)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Caps:
    """What a target can do; pages and preflight ask this instead of its name."""

    managed: bool = True
    """We start and stop the server; otherwise somebody else does."""
    needs_weights: bool = True
    """We hand it the model's files."""
    merged: bool = True
    adapter: bool = False
    """LoRA weights beside the base's."""
    adapter_at_runtime: bool = False
    """An adapter comes and goes while the server runs."""
    grammar: bool = False
    """It constrains tokens to a JSON schema; without it an answer is checked afterwards or the request refused."""
    private: bool = True
    """It is reached by the gateway only, never by callers."""
    outlives_studio: bool = False
    """It goes on when the studio stops, as a container does, and the next start finds it again."""
    grace_s: float = 35.0
    """How long a server that was asked to leave may take to finish its answers, before it is ended."""


@dataclass(frozen=True)
class Launch:
    """What a target needs to start one revision's server."""

    revision_id: str
    served_name: str
    """The name the server must answer to, and no other."""
    model_folder: Path
    """The weights in portable form; for an adapter, its base's."""
    folder: Path
    """The server's own folder: key, log, what is needed to find it again."""
    api_key: str
    parameters: int = 0
    """Size of the model, 0 if unknown."""
    options: dict[str, Any] | None = None
    """The revision's settings for this target."""
    adapter_folder: Path | None = None
    """The LoRA weights, when only these are pushed."""
    repository: str = ""
    """Where the weights were published: `owner/name@revision` on the Hub, or a company's name of them; else empty."""
    deployment_id: str = ""
    """Whose revision it is, for labels that people see."""


@dataclass(frozen=True)
class Running:
    """A server that was started or found."""

    handle: str
    """The target's own id of it."""
    endpoint: str
    """Root address, without /v1."""
    dialect: str = "tgi"
    """tgi, vllm or openai."""
    served_name: str = ""
    """The name it answers to, where it cannot take ours."""


@dataclass(frozen=True)
class Look:
    """What can be seen of a server from outside its API."""

    alive: bool
    log_tail: str = ""
    exit_code: int | None = None
    endpoint: str = ""
    """Its root address, where that is known only some time after the launch."""


class ServingTarget(Protocol):
    """A place that serves models. Built with its `Place`; keeps nothing between calls."""

    caps: Caps

    def launch(self, launch: Launch) -> Running:
        """Start the server, or find it if this revision's runs already. Returns at once; it may still be loading."""
        ...

    def look(self, handle: str, folder: Path) -> Look:
        """Whether it lives, and the end of its log."""
        ...

    def stop(self, handle: str, now: bool = False) -> None:
        """Ask it to finish what it is answering and leave; `now` ends it at once."""
        ...


@runtime_checkable
class Checkable(Protocol):
    """A target that can tell about its place before anything is deployed there."""

    def check(self) -> Health:
        """Ask the place: whether it can be used, what it offers, what an hour costs. Raises StudioError if not."""
        ...


@runtime_checkable
class Choosy(Protocol):
    """A target that can tell, without asking anybody, why it would not serve a model."""

    def refusals(self, repository: str) -> list[str]:
        """What has to be done first for a model that was published there under this name (empty if it was not)."""
        ...


@runtime_checkable
class Sleeper(Protocol):
    """A target whose servers can cost nothing while nobody calls."""

    def scale_to_zero(self, handle: str) -> None:
        """Let the server sleep until the next call, which waits for it. Raises StudioError."""
        ...


@runtime_checkable
class Preparable(Protocol):
    """A target that has long work to do before a launch, which the deploy job does in its own process."""

    def prepare(self, options: dict[str, Any], report: Callable[[str], None]) -> None:
        """Fetch what a launch with these options needs, telling how far it is. May take long; may be repeated."""
        ...

"""LaunchBundle: a model as the files, commands and calls that serve it with one tool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Served:
    """What is to be served, as every bundle gets it."""

    name: str
    """What callers of the server name it."""
    model_type: str
    """As in config.json."""
    max_tokens: int = 4096
    """Prompt and answer together."""
    form: str = "merged"
    """merged, or adapter beside its base's weights."""
    base: str = ""
    """Hub id of the base, where it has one."""
    rank: int = 0
    """Of the adapter."""
    lineage: str = ""
    """Which run and data made it, for the README."""

    @property
    def is_adapter(self) -> bool:
        """Whether only LoRA weights travel."""
        return self.form == "adapter"

    @property
    def weights(self) -> str:
        """What travels, in words."""
        return "an adapter over its base" if self.is_adapter else "merged"


Texts = dict[str, str]
"""Text files by path. The weights lie beside them: `model/`, and for an adapter `adapter/`."""


class LaunchBundle(Protocol):
    """One tool. `check` says why it cannot serve the model; `texts` are the bundle's files besides the weights."""

    name: str
    label: str
    forms: tuple[str, ...]
    """Forms it can serve."""
    options: dict[str, str]
    """What may be chosen, by name, each with a sentence."""

    def check(self, served: Served) -> list[str]:
        """Why the tool would refuse this model; empty when nothing is known against it."""
        ...

    def texts(self, served: Served, options: dict[str, Any]) -> Texts:
        """README, launch script, requests and client, by path."""
        ...

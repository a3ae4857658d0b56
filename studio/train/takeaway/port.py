"""TakeAway: a run as the folder that another tool trains from, so that nobody is bound to the studio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from studio.errors import InvalidInput

Content = bytes | Callable[[], Iterable[bytes]]
"""A file's bytes, or what makes them a piece at a time when they are asked for."""
Files = dict[str, Content]
RECIPE_DEFAULTS: dict[str, Any] = {"num_train_epochs": 3, "max_length": 1024}
"""What TRL does where a recipe says nothing, as far as other tools must be told."""


@dataclass(frozen=True)
class Base:
    """What a run starts from."""

    name: str
    hub_id: str = ""
    revision: str = ""
    template: str = ""
    """Its chat template, where it is here."""
    files: Mapping[str, Content] = field(default_factory=dict)
    """Its files, for a base that is not on the Hub and small enough to travel along."""
    note: str = ""
    """What the README must say about it."""

    @property
    def where(self) -> str:
        """What a config names: the Hub's id, or the folder in the bundle."""
        return self.hub_id or "base"


@dataclass(frozen=True)
class BundleInput:
    """A run as every tool's exporter gets it: recipe, rows as the run's folder has them, base."""

    name: str
    method: str
    base: Base
    recipe: dict[str, Any]
    data: Path
    """Folder of train.jsonl and, where rows are held out, eval.jsonl."""
    studio: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    """Dataset and version, for the README."""

    @property
    def has_eval(self) -> bool:
        """Whether rows are held out."""
        return (self.data / "eval.jsonl").exists()


class TakeAway(Protocol):
    """One tool."""

    name: str
    label: str
    methods: tuple[str, ...]

    def files(self, given: BundleInput) -> Files:
        """Config, data and README, by path. Raises InvalidInput for what the tool cannot do."""
        ...


def refuse_unless_able(tool: TakeAway, given: BundleInput) -> None:
    """Raise InvalidInput when the tool does not know the run's method."""
    if given.method not in tool.methods:
        able = ", ".join(tool.methods)
        raise InvalidInput(f"{tool.label} does not train with {given.method}; it does {able}. Take it to another tool.")

"""Generators: the port that answers prompts, and the catalog by kind of model; one file per way of answering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model
from studio.asking import Answer, Prompt
from studio.errors import InvalidInput
from studio.settings import Settings

__all__ = ["GENERATORS", "Answer", "Bench", "Generator", "Prompt", "open_generator"]
GENERATORS: dict[str, str] = {
    "provider": "studio.evaluate.generators.provider:ProviderGenerator",
    "base": "studio.evaluate.generators.local:LocalGenerator",
    "tuned": "studio.evaluate.generators.local:LocalGenerator",
}


@dataclass(frozen=True)
class Bench:
    """What generators may need to open a model."""

    settings: Settings
    database: Database
    artifacts: Artifacts
    longest_answer: str = ""
    """The longest reference: how much room an answer needs."""
    timed: int = 12
    """How many answers to time one at a time where the rest go in batches."""


class Generator(Protocol):
    """Answers prompts in any order, as they come."""

    def complete(self, prompts: Sequence[Prompt]) -> Iterator[tuple[Prompt, Answer]]:
        """Each prompt with its answer. Raises Unavailable when the model cannot answer at all."""
        ...

    def close(self) -> None:
        """Give back memory and connections."""
        ...


def open_generator(model: Model, bench: Bench) -> Generator:
    """The generator for a model. Raises InvalidInput for a kind that cannot answer."""
    target = GENERATORS.get(model.kind)
    if model.kind == "reward":
        raise InvalidInput(f"{model.name} judges answers and writes none, so it cannot be compared. Leave it out.")
    if target is None:
        raise InvalidInput(f"{model.name} is a model of kind {model.kind!r}, which cannot be evaluated.")
    module, _, name = target.partition(":")
    made: Generator = getattr(import_module(module), name)(model, bench)
    return made

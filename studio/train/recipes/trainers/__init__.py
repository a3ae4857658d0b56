"""The trainers: one file per way of learning; each fits TRL's trainer of that name to a run's folder."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

from studio.errors import NotFound
from studio.train.recipes.setup import Setup

TRAINERS: dict[str, str] = {
    "sft": "studio.train.recipes.trainers.sft:Sft",
    "dpo": "studio.train.recipes.trainers.dpo:Dpo",
    "kto": "studio.train.recipes.trainers.kto:Kto",
    "orpo": "studio.train.recipes.trainers.orpo:Orpo",
    "cpo": "studio.train.recipes.trainers.cpo:Cpo",
    "reward": "studio.train.recipes.trainers.reward:Reward",
    "grpo": "studio.train.recipes.trainers.grpo:Grpo",
}
"""Trainer name (`Method.trainer`) → the class that builds it."""


class TrainerKind(Protocol):
    """Builds a TRL trainer for a run's folder. Made without arguments."""

    config: type
    """The TRL config class that the folder's recipe is parsed with."""

    def build(self, setup: Setup, callbacks: list[Any]) -> Any:
        """The trainer, ready for `train()`; `trainer.picked` lists what it chose by itself: {"what", "why"}."""
        ...


def trainer_kind(name: str) -> TrainerKind:
    """The builder with this name. Raises NotFound."""
    target = TRAINERS.get(name)
    if target is None:
        raise NotFound(f"There is no trainer {name!r}. Choose among: {', '.join(TRAINERS)}.")
    module, _, attribute = target.partition(":")
    made: TrainerKind = getattr(import_module(module), attribute)()
    return made

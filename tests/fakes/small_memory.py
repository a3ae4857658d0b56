"""SFT on a machine whose memory holds only so many tokens at once: beyond that torch's own error is raised."""

from __future__ import annotations

from typing import Any

import torch

from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers.sft import ExactMatchTrainer, Sft

ROOM = 200
"""Padded tokens of a batch that fit."""


class SmallMemorySft(Sft):
    """Sft that raises OutOfMemoryError for a training batch that is too big."""

    room = ROOM

    def build(self, setup: Setup, callbacks: list[Any]) -> ExactMatchTrainer:
        trainer = super().build(setup, callbacks)
        trainer.__class__ = type("SmallMemoryTrainer", (_Small, ExactMatchTrainer), {"room": self.room})
        return trainer


class NoMemorySft(SmallMemorySft):
    """Not even one row fits."""

    room = 1


class _Small:
    room = ROOM

    def training_step(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        if inputs["input_ids"].numel() > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1.00 GiB free.")
        return super().training_step(model, inputs, *args, **kwargs)  # type: ignore[misc]

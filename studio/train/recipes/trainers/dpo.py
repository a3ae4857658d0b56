"""Direct preference optimisation, and its gentler sister IPO: prefer the better of two answers."""

from __future__ import annotations

from typing import Any

from trl import DPOConfig, DPOTrainer

from studio.train.recipes import loading
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers.dressing import Told, data_of, evened, told
from studio.train.recipes.trainers.grouping import GroupsByLength
from studio.train.recipes.trainers.preference import pick_reference


class Dpo:
    """TRL's DPOTrainer on prompt/chosen/rejected rows; `loss_type` in the recipe makes it DPO or IPO."""

    config = DPOConfig

    def build(self, setup: Setup, callbacks: list[Any]) -> DPOTrainer:
        """The trainer, ready for `train()`."""
        chosen = pick_reference(setup)
        trainer = PairsTrainer(
            model=loading.causal(setup),
            args=setup.training,
            processing_class=setup.tokenizer(),
            peft_config=loading.adapter(setup),
            callbacks=callbacks,
            **data_of(setup),
        )
        return told(trainer, chosen, evened(trainer, setup))


class PairsTrainer(GroupsByLength, Told, DPOTrainer):  # type: ignore[misc]
    """DPO whose best checkpoint is the one that most often ranks the better answer first."""

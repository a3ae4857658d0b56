"""ORPO: learn the better answers and avoid the worse ones in one pass."""

from __future__ import annotations

from typing import Any

from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from studio.train.recipes import loading
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers.dressing import Counted, data_of, grouped, told
from studio.train.recipes.trainers.grouping import GroupsByLength


class Orpo:
    """TRL's experimental ORPOTrainer on prompt/chosen/rejected rows."""

    config = ORPOConfig

    def build(self, setup: Setup, callbacks: list[Any]) -> ORPOTrainer:
        """The trainer, ready for `train()`."""
        setup.training.remove_unused_columns = False
        trainer = OddsTrainer(
            model=loading.causal(setup),
            args=setup.training,
            processing_class=setup.tokenizer(),
            peft_config=loading.adapter(setup),
            callbacks=callbacks,
            **data_of(setup),
        )
        return told(trainer, grouped(trainer, setup))


class OddsTrainer(GroupsByLength, Counted, ORPOTrainer):  # type: ignore[misc]
    """ORPO that counts tokens and tells how often it ranks the better answer first."""

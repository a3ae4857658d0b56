"""Contrastive preference optimisation, and SimPO: prefer the better answer without a reference model."""

from __future__ import annotations

from typing import Any

from trl.experimental.cpo import CPOConfig, CPOTrainer

from studio.train.recipes import loading
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers.dressing import Counted, data_of, grouped, told
from studio.train.recipes.trainers.grouping import GroupsByLength


class Cpo:
    """TRL's experimental CPOTrainer on prompt/chosen/rejected rows; `loss_type` makes it CPO or SimPO."""

    config = CPOConfig

    def build(self, setup: Setup, callbacks: list[Any]) -> CPOTrainer:
        """The trainer, ready for `train()`."""
        setup.training.remove_unused_columns = False
        trainer = ContrastTrainer(
            model=loading.causal(setup),
            args=setup.training,
            processing_class=setup.tokenizer(),
            peft_config=loading.adapter(setup),
            callbacks=callbacks,
            **data_of(setup),
        )
        return told(trainer, grouped(trainer, setup))


class ContrastTrainer(GroupsByLength, Counted, CPOTrainer):  # type: ignore[misc]
    """CPO that counts tokens and tells how often it ranks the better answer first."""

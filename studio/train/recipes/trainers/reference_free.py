"""What ORPO, CPO and SimPO share: pairs, no reference model, and trainers that TRL calls experimental."""

from __future__ import annotations

from typing import Any

from studio.train.recipes import loading
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers.dressing import data_of, grouped, told


class ReferenceFree:
    """Builds such a trainer on prompt/chosen/rejected rows."""

    config: type
    trainer: type

    def build(self, setup: Setup, callbacks: list[Any]) -> Any:
        """The trainer, ready for `train()`."""
        setup.training.remove_unused_columns = False
        trainer = self.trainer(
            model=loading.causal(setup),
            args=setup.training,
            processing_class=setup.tokenizer(),
            peft_config=loading.adapter(setup),
            callbacks=callbacks,
            **data_of(setup),
        )
        return told(trainer, grouped(trainer, setup))

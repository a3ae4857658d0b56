"""KTO: learn from thumbs up and down, without pairs."""

from __future__ import annotations

from typing import Any

from trl import KTOConfig, KTOTrainer

from studio.train.recipes import loading
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers.dressing import Told, data_of, headed, told
from studio.train.recipes.trainers.preference import pick_reference


class Kto:
    """TRL's KTOTrainer on prompt/completion/label rows, read in the file's order: its KL term pairs neighbours."""

    config = KTOConfig

    def build(self, setup: Setup, callbacks: list[Any]) -> KTOTrainer:
        """The trainer, ready for `train()`."""
        setup.training.train_sampling_strategy = "sequential"
        chosen = pick_reference(setup)
        trainer = ThumbsTrainer(
            model=loading.causal(setup),
            args=setup.training,
            processing_class=setup.tokenizer(),
            peft_config=loading.adapter(setup),
            callbacks=callbacks,
            **data_of(setup),
        )
        return told(trainer, chosen, headed(trainer, setup))


class ThumbsTrainer(Told, KTOTrainer):  # type: ignore[misc]
    """KTO whose best checkpoint is the one that most favours wanted answers over unwanted ones."""

    task = "rewards/margins"

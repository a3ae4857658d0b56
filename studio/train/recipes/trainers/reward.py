"""A reward model: learn the score by which people would rank two answers."""

from __future__ import annotations

from typing import Any

from trl import RewardConfig, RewardTrainer

from studio.train.recipes import loading
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers.dressing import Told, data_of, grouped, told
from studio.train.recipes.trainers.grouping import GroupsByLength

SCORED = "SEQ_CLS"


class Reward:
    """TRL's RewardTrainer on prompt/chosen/rejected rows; the base gets a head with one score."""

    config = RewardConfig

    def build(self, setup: Setup, callbacks: list[Any]) -> RewardTrainer:
        """The trainer, ready for `train()`."""
        tokenizer = setup.tokenizer()
        tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
        setup.model.lora_task_type = SCORED
        trainer = JudgeTrainer(
            model=loading.judge(setup, tokenizer.pad_token_id),
            args=setup.training,
            processing_class=tokenizer,
            peft_config=loading.adapter(setup),
            callbacks=callbacks,
            **data_of(setup),
        )
        return told(trainer, grouped(trainer, setup))


class JudgeTrainer(GroupsByLength, Told, RewardTrainer):  # type: ignore[misc]
    """A reward model whose best checkpoint is the one that agrees with people most often."""

    task = "accuracy"

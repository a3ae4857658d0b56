"""GRPO: try several answers per prompt and learn from how the studio's own checks score them."""

from __future__ import annotations

from typing import Any

from trl import GRPOConfig, GRPOTrainer

from studio.train.recipes import loading, rewards
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers.dressing import Told, data_of, headed, told


class Grpo:
    """TRL's GRPOTrainer on prompt/reference rows; `rewards` in studio.json names the checks and their weights."""

    config = GRPOConfig

    def build(self, setup: Setup, callbacks: list[Any]) -> GRPOTrainer:
        """The trainer, ready for `train()`."""
        checks = rewards.checks(setup.studio.get("rewards") or rewards.DEFAULT, setup.folder)
        setup.training.reward_weights = [check.weight for check in checks]
        trainer = PractisingTrainer(
            model=loading.causal(setup),
            reward_funcs=[check.function for check in checks],
            reward_processing_classes=[check.tokenizer for check in checks],
            args=setup.training,
            processing_class=setup.tokenizer(),
            peft_config=loading.adapter(setup),
            callbacks=callbacks,
            **data_of(setup),
        )
        plain = setup.training.temperature == 1.0 and not setup.training.entropy_coef
        if plain and not setup.training.cast_lm_head_to_fp32:
            return told(trainer, headed(trainer, setup))
        return told(trainer)


class PractisingTrainer(Told, GRPOTrainer):  # type: ignore[misc]
    """GRPO whose best checkpoint is the one that earns most."""

    task = "reward"

"""Supervised fine-tuning: learn to give the data's answers."""

from __future__ import annotations

from typing import Any

from datasets import Dataset
from trl import SFTConfig, SFTTrainer, get_peft_config

from studio.train import recipe as recipes
from studio.train.recipes.setup import Setup


class Sft:
    """TRL's SFTTrainer on prompt/completion rows; the loss counts the completion only."""

    config = SFTConfig

    def build(self, setup: Setup, callbacks: list[Any]) -> SFTTrainer:
        """The trainer, ready for `train()`."""
        watched = setup.rows(recipes.EVAL)
        return ExactMatchTrainer(
            model=setup.weights(),
            args=setup.training,
            train_dataset=Dataset.from_list(setup.rows(recipes.TRAIN)),
            eval_dataset=Dataset.from_list(watched) if watched else None,
            processing_class=setup.tokenizer(),
            peft_config=get_peft_config(setup.model),
            callbacks=callbacks,
        )


class ExactMatchTrainer(SFTTrainer):  # type: ignore[misc]
    """SFT that also measures, at every evaluation, the share of rows a greedy answer would get wholly right.

    A greedy answer equals the expected one exactly when every expected token is the most likely next token, so the
    evaluation's own forward pass tells it, without generating.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._right: list[float] = []
        self.accelerator.unwrap_model(self.model).register_forward_hook(self._notice)

    def _notice(self, _module: Any, _inputs: Any, outputs: Any) -> None:
        if self.model.training or getattr(outputs, "is_top1", None) is None:
            return
        right = (outputs.is_top1.bool() | ~outputs.label_mask.bool()).all(dim=1)
        self._right += self.accelerator.gather_for_metrics(right.float()).tolist()

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Evaluate, and forget the rows of the evaluation before."""
        self._right = []
        measured: dict[str, float] = super().evaluate(*args, **kwargs)
        return measured

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the greedy share to an evaluation's numbers."""
        if "eval_loss" in logs and self._right:
            logs["eval_greedy_exact"] = sum(self._right) / len(self._right)
        super().log(logs, *args, **kwargs)

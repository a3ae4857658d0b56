"""Supervised fine-tuning: learn to give the data's answers."""

from __future__ import annotations

from typing import Any

from transformers.utils import is_flash_attn_2_available
from trl import SFTConfig, SFTTrainer

from studio.train import recipe as recipes
from studio.train.recipes import loading
from studio.train.recipes.setup import Setup
from studio.train.recipes.trainers import picks, prepared
from studio.train.recipes.trainers.compact import SFT_FIELDS
from studio.train.recipes.trainers.dressing import TASK, data_of, evened, told
from studio.train.recipes.trainers.grouping import GroupsByLength
from studio.train.recipes.trainers.tools import check_tools

FLASH = "flash_attention_2"
PACKING = ("packing", "padding_free", "train_sampling_strategy", "attn_implementation")


class Sft:
    """TRL's SFTTrainer on prompt/completion rows; the loss counts the completion only."""

    config = SFTConfig

    def build(self, setup: Setup, callbacks: list[Any]) -> SFTTrainer:
        """The trainer, ready for `train()`."""
        tokenizer = setup.tokenizer()
        check_tools(setup, tokenizer)
        chosen = packed(setup, tokenizer)
        trainer = ExactMatchTrainer(
            model=loading.causal(setup),
            args=setup.training,
            processing_class=tokenizer,
            peft_config=loading.adapter(setup),
            callbacks=callbacks,
            **(prepared.data_of(setup, tokenizer) or data_of(setup)),
        )
        return told(trainer, chosen, evened(trainer, setup, SFT_FIELDS))


def packed(setup: Setup, tokenizer: Any) -> list[picks.Pick]:
    """Pack rows where a GPU with FlashAttention keeps them apart; evaluation stays one row by one row."""
    args = setup.training
    if args.device.type != "cuda" or args.max_length is None or not picks.free(setup, "packing", *PACKING):
        return []
    texts = [tokenizer.apply_chat_template(_messages(row), tokenize=False) for row in setup.rows(recipes.TRAIN)]
    lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    found = picks.packing(lengths, args.max_length, args.per_device_train_batch_size, is_flash_attn_2_available())
    if found is None:
        return []
    pick, args.per_device_train_batch_size = found
    args.packing, args.packing_strategy, args.eval_packing = True, "bfd", False
    setup.model.attn_implementation = FLASH
    return [pick]


def _messages(row: dict[str, Any]) -> list[dict[str, Any]]:
    return row.get("messages") or [*row["prompt"], *row["completion"]]


class ExactMatchTrainer(GroupsByLength, SFTTrainer):  # type: ignore[misc]
    """SFT that also measures, at every evaluation, the share of rows a greedy answer would get wholly right.

    A greedy answer equals the expected one exactly when every expected token is the most likely next token, so the
    evaluation's own forward pass tells it, without generating.
    """

    picked: list[dict[str, str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._right: list[float] = []
        self.accelerator.unwrap_model(self.model).register_forward_hook(self._notice)

    def _prepare_dataset(self, dataset: Any, tokenizer: Any, args: Any, packing: bool, *more: Any) -> Any:
        """Rows that are ready are only packed, where that is wanted."""
        if prepared.is_ready(dataset) and not packing:
            return dataset
        return super()._prepare_dataset(dataset, tokenizer, args, packing, *more)

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
            logs["eval_greedy_exact"] = logs[TASK] = sum(self._right) / len(self._right)
        super().log(logs, *args, **kwargs)

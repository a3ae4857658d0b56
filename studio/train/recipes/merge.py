"""From adapter to plain model: merge LoRA weights into the base, and record the answers that prove which is which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import PeftConfig, PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl.trainer.reward_trainer import suppress_seqcls_warning

from studio.train.recipes import golden

SCORES = "SEQ_CLS"


def merge(base: Path, adapter: Path, out: Path) -> None:
    """Write base + adapter as one plain checkpoint with its tokenizer. Raises on weights that are not finite.

    LoRA, rsLoRA and DoRA alike. An adapter learned on a base in 4 or 8 bits is merged into the base's full weights.
    """
    model = _loaded(base, scores=PeftConfig.from_pretrained(adapter).task_type == SCORES)
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True)
    merged.save_pretrained(out)
    AutoTokenizer.from_pretrained(adapter if _has_tokenizer(adapter) else base).save_pretrained(out)


def is_judge(folder: Path) -> bool:
    """Whether a checkpoint is a reward model: it scores answers and writes none."""
    return any("SequenceClassification" in name for name in AutoConfig.from_pretrained(folder).architectures or [])


def _loaded(folder: Path, *, scores: bool) -> Any:
    if not scores:
        return AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    pad = AutoTokenizer.from_pretrained(folder)
    token = pad.pad_token_id if pad.pad_token_id is not None else pad.eos_token_id
    with suppress_seqcls_warning():
        return AutoModelForSequenceClassification.from_pretrained(
            folder, dtype="auto", num_labels=1, pad_token_id=token
        )


def _has_tokenizer(folder: Path) -> bool:
    return (folder / "tokenizer.json").exists()


def golden_prompts(base: Path, tuned: Path, prompts: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The greedy answers that tell the tuned model from its base. A reward model writes nothing and has none."""
    return {"prompts": []} if is_judge(tuned) else golden.golden_prompts(base, tuned, prompts)

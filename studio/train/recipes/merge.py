"""From adapter to plain model: merge LoRA weights into the base, and record the answers that prove which is which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio.train.recipes.generate import Answer, greedy, rendered

GOLDEN_TOKENS = 16


def merge(base: Path, adapter: Path, out: Path) -> None:
    """Write base + adapter as one plain checkpoint with the base's tokenizer. Raises on weights that are not finite."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True)
    merged.save_pretrained(out)
    AutoTokenizer.from_pretrained(base).save_pretrained(out)


def golden_prompts(base: Path, tuned: Path, prompts: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The first greedy tokens of the tuned model and of its base on a few prompts.

    A server that answers them like the base is serving the wrong weights.
    """
    tokenizer = AutoTokenizer.from_pretrained(tuned)
    ours, theirs = (_answers(folder, tokenizer, prompts) for folder in (tuned, base))
    return {
        "prompts": [
            {
                "messages": messages,
                "text": rendered(tokenizer, messages),
                "tuned_tokens": mine.tokens,
                "base_tokens": other.tokens,
                "tuned_text": mine.text,
                "base_text": other.text,
            }
            for messages, mine, other in zip(prompts, ours, theirs, strict=True)
        ]
    }


def _answers(folder: Path, tokenizer: Any, prompts: list[list[dict[str, Any]]]) -> list[Answer]:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    return [greedy(model, tokenizer, [messages], GOLDEN_TOKENS)[0] for messages in prompts]

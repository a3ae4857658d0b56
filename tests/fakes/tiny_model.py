"""Real but tiny models with random weights, made from nothing: `python -m tests.fakes.tiny_model OUT`.

Writes OUT/tuned, OUT/base and OUT/other (three seeds, one tokenizer, portable form) and OUT/golden.json: the greedy
answers of tuned and base to a few prompts, by transformers in its own process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
TEMPLATE = (
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}{%- generation %}{{- m.content + '<|im_end|>' }}"
    "{%- endgeneration %}{{- '\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- endif %}"
)
SYSTEM = "Triage the ticket as JSON."
TICKETS = ["The app crashes when I open it.", "I was charged twice.", "How do I export?", "My seat is broken."]
SEEDS = {"tuned": 1, "base": 2, "other": 3}


def main(out: Path) -> None:
    """Make the three models and the golden answers."""
    from studio.train.recipes.golden import golden_prompts

    tokenizer = make_tokenizer()
    for name, seed in SEEDS.items():
        make_model(out / name, tokenizer, seed)
    prompts = [conversation(ticket) for ticket in TICKETS]
    (out / "golden.json").write_text(json.dumps(golden_prompts(out / "base", out / "tuned", prompts)))


def conversation(ticket: str) -> list[dict[str, str]]:
    """The messages of one call."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ticket}]


def make_tokenizer() -> Any:
    """A byte-level BPE trained on a few sentences."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    built = Tokenizer(models.BPE())
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    built.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=512, special_tokens=SPECIALS, initial_alphabet=alphabet)
    built.train_from_iterator([SYSTEM, *TICKETS, "system user assistant"] * 4, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=built, eos_token="<|im_end|>", pad_token="<|pad|>")
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def make_model(folder: Path, tokenizer: Any, seed: int) -> None:
    """About 0.2 million random weights in the Qwen3 architecture, saved in the portable form."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from studio.train.portable import make_portable

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.4,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    make_portable(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

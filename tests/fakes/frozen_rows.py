"""Rows of a frozen version, and the config of the tiny base, for tests that need no torch."""

from __future__ import annotations

import hashlib

from studio.curate.snapshot import Row

TINY_CONFIG = {
    "model_type": "qwen3",
    "vocab_size": 1024,
    "hidden_size": 96,
    "intermediate_size": 288,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 24,
    "tie_word_embeddings": True,
    "max_position_embeddings": 1024,
}


def make_row(text: str, output: str = "yes", split: str = "train", **more: object) -> Row:
    """A row whose prompt is `text`."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    values: dict[str, object] = {
        "messages": [{"role": "user", "content": text}],
        "tools": [],
        "verified": split == "golden",
        "output_source": "model",
    }
    return Row(example_id=f"{digest[:12]}{output[:4]}", output=output, split=split, prompt_hash=digest, **values | more)

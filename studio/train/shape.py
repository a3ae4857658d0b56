"""How big a model is, from its config.json alone: no torch, exact for the Llama and Qwen families."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TINY = 5_000_000
"""Below this many parameters a model learns at rates that would wreck a bigger one."""


@dataclass(frozen=True)
class ModelShape:
    """The numbers of a config.json that size and memory follow from."""

    family: str
    vocabulary: int
    hidden: int
    layers: int
    queries: int
    keys: int
    intermediate: int
    head_dim: int
    tied: bool
    context: int = 2048

    @classmethod
    def of_config(cls, config: dict[str, Any]) -> ModelShape:
        """Read a config.json."""
        heads, hidden = config["num_attention_heads"], config["hidden_size"]
        head_dim = config.get("head_dim") or hidden // heads
        return cls(
            family=config.get("model_type", ""),
            vocabulary=config["vocab_size"],
            hidden=hidden,
            layers=config["num_hidden_layers"],
            queries=heads * head_dim,
            keys=config.get("num_key_value_heads", heads) * head_dim,
            intermediate=config["intermediate_size"],
            head_dim=head_dim,
            tied=config.get("tie_word_embeddings", True),
            context=config.get("max_position_embeddings", 2048),
        )

    @property
    def parameters(self) -> int:
        """Number of weights."""
        attention = 2 * self.hidden * self.queries + 2 * self.hidden * self.keys
        norms = 2 * self.hidden + (2 * self.head_dim if self.family == "qwen3" else 0)
        layer = attention + 3 * self.hidden * self.intermediate + norms
        return self.vocabulary * self.hidden * (1 if self.tied else 2) + self.layers * layer + self.hidden

    def lora_parameters(self, rank: int) -> int:
        """Number of weights that LoRA of this rank adds to all linear layers."""
        attention = 2 * (self.hidden + self.queries) + 2 * (self.hidden + self.keys)
        return rank * self.layers * (attention + 3 * (self.hidden + self.intermediate))

    @property
    def is_tiny(self) -> bool:
        """Whether it is of the size that trains in seconds on a CPU."""
        return self.parameters < TINY

"""How big a model is, from its config.json alone: no torch, exact for the families in `FAMILIES`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TINY = 5_000_000
"""Below this many parameters a model learns at rates that would wreck a bigger one."""
FAMILIES = (
    *("llama", "mistral", "qwen2", "qwen3", "qwen3_moe", "mixtral", "smollm3", "phi", "phi3", "gemma", "gemma2"),
    *("gemma3_text", "granite", "olmo2"),
)
"""Families whose parameters are counted exactly; others are counted as if they were a Llama."""
FOUR_NORMS = ("gemma2", "gemma3_text")
NO_ATTENTION_BIAS, MLP_BIAS = ("qwen2", "mistral", "mixtral", "phi", "phi3"), ("llama", "smollm3", "granite")
"""Families that ignore the key of that name, and those that read it."""
HEAD_NORMS = ("qwen3", "qwen3_moe", "gemma3_text")


@dataclass(frozen=True)
class Linear:
    """One weight matrix."""

    inputs: int
    outputs: int
    bias: bool = False
    count: int = 1
    """How many there are of it in a layer (experts)."""

    @property
    def parameters(self) -> int:
        """Numbers in all of them."""
        return self.count * (self.inputs * self.outputs + (self.outputs if self.bias else 0))


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
    linears: tuple[Linear, ...] = ()
    """The weight matrices of one layer."""
    norms: int = 0
    """Numbers in the norms of one layer."""
    last: int = 0
    """Numbers after the last layer: its norm, and a bias on the vocabulary scores where there is one."""
    quantized: bool = False
    """The published weights are stored in fewer bits already."""

    @classmethod
    def of_config(cls, config: dict[str, Any]) -> ModelShape:
        """Read a config.json; of a model that also sees, the part that reads text."""
        config = {**config, **config["text_config"]} if isinstance(config.get("text_config"), dict) else config
        heads, hidden = config["num_attention_heads"], config["hidden_size"]
        head_dim = config.get("head_dim") or hidden // heads
        keys = (config.get("num_key_value_heads") or heads) * head_dim
        sizes = {"hidden": hidden, "queries": heads * head_dim, "keys": keys, "head_dim": head_dim}
        return cls(
            family=config.get("model_type", ""),
            vocabulary=config["vocab_size"],
            layers=config["num_hidden_layers"],
            intermediate=config["intermediate_size"],
            tied=_tied(config),
            context=config.get("max_position_embeddings", 2048),
            linears=(*_attention(config, **sizes), *_feed_forward(config, hidden)),
            norms=_norms(config, **sizes),
            last=_last(config, hidden),
            quantized=bool(config.get("quantization_config")),
            **sizes,
        )

    @property
    def is_exact(self) -> bool:
        """Whether the family is one whose parameters are counted exactly."""
        return self.family in FAMILIES

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return self.embedding_parameters + self.layers * (self.linear_parameters + self.norms) + self.last

    @property
    def embedding_parameters(self) -> int:
        """Numbers of the vocabulary's tables: one when it is read and written with the same."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def linear_parameters(self) -> int:
        """Numbers in the weight matrices of one layer."""
        return sum(each.parameters for each in self.linears)

    def lora_parameters(self, rank: int, dora: bool = False) -> int:
        """Number of weights that LoRA of this rank adds to all linear layers; DoRA adds one more per output."""
        low = sum(each.count * rank * (each.inputs + each.outputs) for each in self.linears)
        magnitudes = sum(each.count * each.outputs for each in self.linears) if dora else 0
        return self.layers * (low + magnitudes)

    @property
    def has_head_norms(self) -> bool:
        """Whether queries and keys are normalised, which keeps more of every token for the way back."""
        return self.family in HEAD_NORMS or self.family == "olmo2"

    @property
    def is_tiny(self) -> bool:
        """Whether it is of the size that trains in seconds on a CPU."""
        return self.parameters < TINY


def _tied(config: dict[str, Any]) -> bool:
    """Configs leave the key out where it equals what the library takes then: true, but for Phi."""
    return bool(config.get("tie_word_embeddings", config.get("model_type") != "phi"))


def _attention(config: dict[str, Any], hidden: int, queries: int, keys: int, head_dim: int) -> list[Linear]:
    family = config.get("model_type", "")
    asked = bool(config.get("attention_bias")) and family not in NO_ATTENTION_BIAS
    biased, out_biased = asked or family in ("qwen2", "phi"), asked or family == "phi"
    if family == "phi3":
        return [Linear(hidden, queries + 2 * keys), Linear(queries, hidden)]
    each = [Linear(hidden, width, biased) for width in (queries, keys, keys)]
    return [*each, Linear(queries, hidden, out_biased)]


def _feed_forward(config: dict[str, Any], hidden: int) -> list[Linear]:
    family, inner = config.get("model_type", ""), config["intermediate_size"]
    biased = bool(config.get("mlp_bias")) and family in MLP_BIAS
    if family == "phi":
        return [Linear(hidden, inner, True), Linear(inner, hidden, True)]
    if family == "phi3":
        return [Linear(hidden, 2 * inner), Linear(inner, hidden)]
    experts = config.get("num_experts") or config.get("num_local_experts") or 1
    if experts > 1:
        inner = config.get("moe_intermediate_size") or inner
        way = [Linear(hidden, inner, count=experts)] * 2 + [Linear(inner, hidden, count=experts)]
        return [Linear(hidden, experts), *way]
    return [Linear(hidden, inner, biased), Linear(hidden, inner, biased), Linear(inner, hidden, biased)]


def _norms(config: dict[str, Any], hidden: int, queries: int, keys: int, head_dim: int) -> int:
    family = config.get("model_type", "")
    if family == "phi":
        return 2 * hidden
    inside: int = {"olmo2": queries + keys}.get(family, 2 * head_dim if family in HEAD_NORMS else 0)
    blocks: int = 4 if family in FOUR_NORMS else 2
    return blocks * hidden + inside


def _last(config: dict[str, Any], hidden: int) -> int:
    if config.get("model_type") == "phi":
        return 2 * hidden + int(config["vocab_size"])
    return hidden

"""A dry run: what a forward pass keeps for the way back, counted on tensors that have a shape and no content.

Takes a fraction of a second and next to no memory whatever the size of the model, because no weight exists.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoConfig, AutoModelForCausalLM


def kept_by(base: Path, **size: Any) -> int:
    """`kept_bytes` of the model whose config.json is in this folder."""
    return kept_bytes(AutoConfig.from_pretrained(base), **size)


def kept_bytes(
    config: Any,
    *,
    rows: int,
    row_tokens: int,
    dtype: str = "float32",
    lora_rank: int | None = None,
    checkpointing: bool,
) -> int:
    """Bytes that the layers of this model keep between forward and backward for a batch of this size."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype)).train()
        if lora_rank is not None:
            _adapt(model, lora_rank)
        if checkpointing:
            model.gradient_checkpointing_enable()
            model.enable_input_require_grads()
        tokens = torch.zeros((rows, row_tokens), dtype=torch.long)
        seen = _Kept({_storage(each) for each in model.parameters()})
        with torch.autograd.graph.saved_tensors_hooks(seen.keep, lambda kept: kept):
            output = model.model(input_ids=tokens, use_cache=False).last_hidden_state
        del output
    return seen.total


class _Adapted(torch.nn.Module):  # type: ignore[misc]
    """A frozen matrix with a low-rank one beside it; in half precision the adapter reads a copy of its own."""

    def __init__(self, frozen: torch.nn.Linear, rank: int) -> None:
        super().__init__()
        self.frozen, kind = frozen, frozen.weight.dtype
        self.down = torch.nn.Linear(frozen.in_features, rank, bias=False, dtype=kind)
        self.up = torch.nn.Linear(rank, frozen.out_features, bias=False, dtype=kind)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """As PEFT computes it."""
        read = given if given.dtype == torch.float32 else given.clone()
        added: torch.Tensor = self.frozen(given) + self.up(self.down(read))
        return added


def _adapt(model: Any, rank: int) -> None:
    """Freeze the model and put an adapter beside every matrix of its layers; PEFT cannot do it without content."""
    model.requires_grad_(False)
    for module in list(model.model.layers.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.Linear):
                setattr(module, name, _Adapted(child, rank))


class _Kept:
    """Counts each piece of memory once, weights not at all."""

    def __init__(self, weights: set[int]) -> None:
        self.seen, self.total = weights, 0

    def keep(self, tensor: torch.Tensor) -> torch.Tensor:
        """Count a tensor that autograd saves."""
        place = _storage(tensor)
        if place not in self.seen:
            self.seen.add(place)
            self.total += tensor.untyped_storage().nbytes()
        return tensor


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)

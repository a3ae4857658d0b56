"""The compact head: on a CPU, turn only the positions that are learned into scores over the vocabulary.

TRL's trainers ask the model for the log-probability of each label. On a GPU its kernel skips the positions without a
label; on a CPU it scores them all, twice. Prompts are most of a row, so most of that work is for nothing.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import torch
from torch.nn import functional
from trl.kernels.chunked_logprob import ChunkedLogProbFunction
from trl.trainer.utils import FusedCausalLMOutput

from studio.train.recipes.trainers import parts

MOST_SCORES = 2**26
"""Scores held at once (256 MiB); above it TRL's own function goes through the vocabulary piece by piece."""
PIECE, IGNORED = 32768, -100
FIELDS = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")
SFT_FIELDS, PREFERENCE_FIELDS = ("entropy", "is_top1"), FIELDS[1:]
"""What the trainers log besides the log-probabilities; the rest is not worked out."""
RESHAPING = ("final_logit_softcapping", "logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
"""Config keys of models whose scores are more than hidden states times weights."""


def fits(model: Any) -> bool:
    """Whether the model's scores are plain: hidden states times the head's weights."""
    config, head = model.config.get_text_config(), model.get_output_embeddings()
    reshaped = any(getattr(config, key, None) not in (None, 1.0) for key in RESHAPING)
    mixture = bool(getattr(config, "output_router_logits", False))
    return isinstance(head, torch.nn.Linear) and head.weight.is_floating_point() and not (reshaped or mixture)


def add_compact_head(model: Any, fields: tuple[str, ...] = PREFERENCE_FIELDS, in_parts: bool = False) -> None:
    """Take over what TRL's `add_fused_lm_head` gave the model: same call, same answer, fewer positions.

    `in_parts`: rows of like length go through the model together, so that little of it is padding.
    """
    fused = model.forward

    @functools.wraps(type(model).forward)  # `generate` reads the signature
    def forward(self: Any, *args: Any, fused_lm_head: bool = False, labels: Any = None, **kwargs: Any) -> Any:
        if not fused_lm_head or labels is None:
            given = {} if labels is None else {"labels": labels}
            return fused(*args, fused_lm_head=fused_lm_head, **given, **kwargs)
        items = kwargs.pop("num_items_in_batch", None)
        head, wanted, given = self.get_output_embeddings(), labels[:, 1:], kwargs | {"use_cache": False}
        if in_parts and not args and (cut := parts.parts_of(given)):
            return _output(parts.hidden(self.base_model, given, wanted, cut), head, wanted, items, fields)
        hidden = self.base_model(*args, **given).last_hidden_state[:, :-1]
        return _output(hidden[wanted != IGNORED], head, wanted, items, fields)

    model.forward = types.MethodType(forward, model)


def _output(
    hidden: torch.Tensor, head: Any, labels: torch.Tensor, items: Any, fields: tuple[str, ...]
) -> FusedCausalLMOutput:
    mask = labels != IGNORED
    scored = _scored(hidden, head.weight, head.bias, labels[mask], fields)
    placed = [None if each is None else each.new_zeros(mask.shape).masked_scatter(mask, each) for each in scored]
    loss = -scored[0].sum() / (mask.sum().clamp(min=1) if items is None else items)
    return FusedCausalLMOutput(loss=loss, label_mask=mask, **dict(zip(FIELDS, placed, strict=True)))


def _scored(
    hidden: torch.Tensor, weight: Any, bias: Any, labels: torch.Tensor, fields: tuple[str, ...]
) -> tuple[Any, ...]:
    plain = hidden.dtype == weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    if plain and len(labels) * len(weight) <= MOST_SCORES:
        found: tuple[Any, ...] = _Scores.apply(hidden, weight, bias, labels, fields)
        return found
    pieces: tuple[Any, ...] = ChunkedLogProbFunction.apply(hidden, weight, bias, labels, 1.0, PIECE, None, 1.0, fields)
    return pieces


class _Scores(torch.autograd.Function):  # type: ignore[misc]
    """Log-probabilities of the labels and what TRL logs about them; the backward reuses the probabilities."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: Any, bias: Any, labels: torch.Tensor, fields: tuple[str, ...]
    ) -> tuple[Any, ...]:
        scores = functional.linear(hidden, weight, bias)
        top, first = scores.max(-1)
        wanted = scores.gather(-1, labels[:, None])[:, 0]
        means = scores.mean(-1) if "mean_logits" in fields else None
        scores.sub_(top[:, None])
        chances = scores.exp()
        total = chances.sum(-1)
        entropy = total.log() - _dot(chances, scores) / total if "entropy" in fields else None
        squares = _dot(chances, chances).log() - 2 * total.log() if "log_sum_sq_probs" in fields else None
        ctx.save_for_backward(hidden, weight, bias, labels, chances.div_(total[:, None]))
        ctx.set_materialize_grads(False)
        right = first == labels
        ctx.mark_non_differentiable(*(each for each in (entropy, squares, means, right) if each is not None))
        return wanted - top - total.log(), entropy, squares, means, right

    @staticmethod
    def backward(ctx: Any, slope: torch.Tensor | None, *_: Any) -> tuple[Any, ...]:
        if slope is None:
            return None, None, None, None, None
        hidden, weight, bias, labels, chances = ctx.saved_tensors
        by_score = chances * -slope[:, None]
        by_score[torch.arange(len(labels)), labels] += slope
        by_hidden, by_weight, by_bias = ctx.needs_input_grad[:3]
        return (
            by_score @ weight if by_hidden else None,
            by_score.t() @ hidden if by_weight else None,
            by_score.sum(0) if by_bias and bias is not None else None,
            None,
            None,
        )


def _dot(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Row by row products, without a copy of the whole."""
    return torch.bmm(left[:, None, :], right[:, :, None])[:, 0, 0]

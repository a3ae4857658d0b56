"""Memory of a run, part by part, in bytes."""

from __future__ import annotations

from studio.train.estimate.load import REFERENCED, Load
from studio.train.machine import GIB, Machine
from studio.train.shape import FOUR_NORMS, ModelShape

RUNTIME_BYTES = {"cpu": int(0.66 * GIB), "gpu": int(1.4 * GIB)}
"""Python, torch and TRL on a CPU, measured; the CUDA context and its allocator on a GPU, as Unsloth counts it."""
NF4_BYTES = 0.5625
"""Four bits a weight and its share of the scales."""
MOMENTS = 2
"""AdamW keeps two numbers for every one that learns."""
KEPT_INPUTS = 2.2
"""Checkpointing keeps the input of every layer, and a little more."""
FROZEN = 0.92
"""Frozen matrices keep a little less in fp32; in half precision the adapter's own copies make up for it."""
SCORE_COPIES = 3
"""Scores, their logarithms and their gradients, in fp32."""
PIECE, WHOLE = 32_768, 1 << 26
"""Entries of the vocabulary that are scored at once, and scores up to which a CPU does it in one piece."""


def memory_parts(shape: ModelShape, load: Load, machine: Machine) -> dict[str, int]:
    """Bytes of each part of the run; parts it does not have are left out."""
    width = 2 if machine.gpu else 4
    trained = load.trained(shape)
    learning = width if load.is_full or load.is_quantized else 4
    parts = {
        "weights": _weights(shape, load, width),
        "adapter": 0 if load.is_full else trained * learning,
        "gradients": trained * learning,
        "optimizer": trained * learning * MOMENTS,
        "reference model": _reference(shape, load, width),
        "activations": activation_bytes(shape, load, width),
        "vocabulary scores": _scores(shape, load, machine),
        "answers being written (KV)": _cache(shape, load, width),
        "libraries": RUNTIME_BYTES["gpu" if machine.gpu else "cpu"],
    }
    return {name: size for name, size in parts.items() if size}


def activation_bytes(shape: ModelShape, load: Load, width: int) -> int:
    """What the forward pass keeps for the way back."""
    per_layer = layer_bytes(shape, width) * (FROZEN if width == 4 and not load.is_full else 1)
    if not load.checkpointing:
        return int(load.positions * shape.layers * per_layer)
    kept = KEPT_INPUTS * shape.hidden * width / 2
    return int(load.positions * (shape.layers * kept + per_layer))


def layer_bytes(shape: ModelShape, width: int) -> float:
    """Bytes per token that one layer of a Llama-like model keeps, checked against dry runs of real ones.

    In half precision norms keep copies in fp32, so they weigh more than their share.
    """
    attention = 2 * (shape.queries + shape.keys) * width
    inner = 4 * shape.intermediate * width
    norms = shape.hidden * _norm_bytes(width, double=shape.family in FOUR_NORMS)
    heads = (shape.queries + shape.keys) * (7 if width == 2 else 8) if shape.has_head_norms else 0
    return attention + inner + norms + heads


def _norm_bytes(width: int, double: bool) -> int:
    if width == 2:
        return 40 if double else 20
    return 44 if double else 32


def _weights(shape: ModelShape, load: Load, width: int) -> int:
    if not load.is_quantized:
        return shape.parameters * width
    linear = shape.layers * shape.linear_parameters
    return int(linear * NF4_BYTES) + (shape.parameters - linear) * width


def _reference(shape: ModelShape, load: Load, width: int) -> int:
    return shape.parameters * width if load.is_full and load.method in REFERENCED else 0


def _scores(shape: ModelShape, load: Load, machine: Machine) -> int:
    if load.method == "reward":
        return 0
    positions = load.positions * load.scored_share
    in_one = not machine.gpu and positions * shape.vocabulary <= WHOLE
    entries = shape.vocabulary if in_one else min(shape.vocabulary, PIECE)
    return int(positions * entries * 4 * SCORE_COPIES)


def _cache(shape: ModelShape, load: Load, width: int) -> int:
    return load.positions * shape.layers * 2 * shape.keys * width if load.new_tokens else 0

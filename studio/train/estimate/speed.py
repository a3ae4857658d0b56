"""How long a run takes: from a measured micro-step when there is one, from arithmetic otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from studio.train.estimate.load import ANSWERED_AT_ONCE, PAIRED, REFERENCED, Load
from studio.train.machine import Machine
from studio.train.shape import ModelShape

CPU_FLOPS_PER_CORE = 15e9
"""Measured here on small models: useful arithmetic per second and core with TRL, padding included."""
GPU_FLOPS = {"B200": 2250e12, "H200": 990e12, "H100": 990e12, "A100": 312e12, "L40": 181e12, "4090": 165e12}
GPU_FLOPS |= {"A10G": 70e12, "A10": 125e12, "L4": 121e12, "T4": 65e12, "V100": 112e12}
OTHER_GPU_FLOPS, GPU_USE = 60e12, 0.35
START_S = 12.0
"""Importing torch and TRL, loading, merging and recording the golden answers."""
FORWARD_SHARE = 3
"""Reading costs a third of learning."""
LAYER_S = {"cpu": 0.0025, "gpu": 0.0008}
"""Seconds to start the work of one layer once."""
Source = Literal["rehearsal", "earlier run", "arithmetic"]


@dataclass(frozen=True)
class Speed:
    """Tokens trained on per second, and where the number comes from."""

    tokens_per_second: float
    source: Source = "arithmetic"
    write_step_s: float | None = None
    """Seconds to write one token of every answer in a batch, where that was measured."""

    @property
    def measured(self) -> bool:
        """Whether it was measured here."""
        return self.source != "arithmetic"


def speed_by_arithmetic(shape: ModelShape, load: Load, machine: Machine) -> Speed:
    """Tokens per second: adapters skip the gradients of frozen weights, checkpointing repeats a pass."""
    return Speed(flops(machine) / (work_per_token(load) * shape.parameters))


def work_per_token(load: Load) -> float:
    """Multiply-adds for each weight and token: two per forward pass, as much again per gradient."""
    passes = (6 if load.is_full else 4) + (2 if load.checkpointing else 0)
    if load.method in REFERENCED:
        passes += 2 if load.method in PAIRED else 4
    return passes + (2 if load.is_quantized else 0)


def training_seconds(shape: ModelShape, load: Load, machine: Machine, speed: Speed) -> float:
    """Seconds between the first step and the last; an earlier run's speed has its evaluations in it already."""
    learning = load.tokens / speed.tokens_per_second
    if speed.source == "earlier run":
        return learning
    reading = load.watched.tokens / FORWARD_SHARE / speed.tokens_per_second
    tried = load.tried_steps if speed.source == "arithmetic" else 0
    return learning + reading + (load.watched.written + tried) * _write_step(shape, machine, speed)


def _write_step(shape: ModelShape, machine: Machine, speed: Speed) -> float:
    """Writing goes token by token: the work of a layer is small, and starting it costs more."""
    if speed.write_step_s is not None:
        return speed.write_step_s
    batch = ANSWERED_AT_ONCE / 2
    return shape.layers * LAYER_S["gpu" if machine.gpu else "cpu"] + 2 * shape.parameters * batch / flops(machine)


def flops(machine: Machine) -> float:
    """Useful arithmetic per second of the machine."""
    if not machine.gpu:
        return CPU_FLOPS_PER_CORE * machine.cores
    peak = next((speed for name, speed in GPU_FLOPS.items() if name in machine.gpu), OTHER_GPU_FLOPS)
    return peak * GPU_USE

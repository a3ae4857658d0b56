"""What a run will take: memory by part, and time. Estimates, shown as ranges and replaced by what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from studio.train.machine import GIB, Machine
from studio.train.shape import ModelShape

SPREAD = 0.15
CPU_FLOPS_PER_CORE = 15e9
"""Measured here on small models: useful arithmetic per second and core with TRL, padding included."""
GPU_FLOPS = {"H200": 990e12, "H100": 990e12, "A100": 312e12, "L40": 181e12, "4090": 165e12, "A10": 125e12}
OTHER_GPU_FLOPS, GPU_USE = 60e12, 0.35
START_S = 12.0
"""Importing torch and TRL, loading, merging and recording the golden answers."""
RUNTIME_BYTES = {"cpu": int(0.65 * GIB), "gpu": int(1.4 * GIB)}
ACTIVATION_BYTES = {"plain": 76, "checkpointed": 4}
"""Bytes per token, hidden unit and layer in bf16 (twice that in fp32)."""


@dataclass(frozen=True)
class Estimate:
    """Bytes by part and seconds, with the range they may honestly fall in."""

    parts: dict[str, int]
    room: int
    seconds: float
    tokens: int
    tokens_per_second: float
    measured: bool
    """The speed was measured on an earlier run of this base on this machine."""

    @property
    def memory(self) -> int:
        """Bytes in all."""
        return sum(self.parts.values())

    @property
    def memory_range(self) -> tuple[int, int]:
        """Bytes, low and high."""
        return int(self.memory * (1 - SPREAD)), int(self.memory * (1 + SPREAD))

    @property
    def seconds_range(self) -> tuple[float, float]:
        """Seconds, low and high: narrow once measured, wide before."""
        low, high = (0.8, 1.3) if self.measured else (0.5, 2.5)
        return self.seconds * low, self.seconds * high

    @property
    def fit(self) -> str:
        """`fits`, `tight` or `too big` for this machine."""
        low, high = self.memory_range
        if high <= 0.9 * self.room:
            return "fits"
        return "tight" if low <= self.room else "too big"


@dataclass(frozen=True)
class Load:
    """What decides how heavy a run is."""

    lora_rank: int | None
    """None trains every weight."""
    batch: int
    row_tokens: int
    """Tokens of a padded row."""
    tokens: int
    """Tokens over the whole run."""
    checkpointing: bool = False


def estimate(shape: ModelShape, load: Load, machine: Machine, measured_speed: float | None = None) -> Estimate:
    """Memory and time of a run on this machine."""
    speed = measured_speed or _speed(shape, load, machine)
    seconds = START_S + load.tokens / speed
    return Estimate(memory_parts(shape, load, machine), machine.room, seconds, load.tokens, speed, bool(measured_speed))


def memory_parts(shape: ModelShape, load: Load, machine: Machine) -> dict[str, int]:
    """Bytes of each part of the run."""
    width = 2 if machine.gpu else 4
    trained = shape.parameters if load.lora_rank is None else shape.lora_parameters(load.lora_rank)
    per_unit = ACTIVATION_BYTES["checkpointed" if load.checkpointing else "plain"] * width // 2
    return {
        "model": shape.parameters * width,
        "learning (gradients, optimizer)": trained * 16,
        "activations": load.batch * load.row_tokens * shape.hidden * shape.layers * per_unit,
        "vocabulary scores": load.batch * load.row_tokens * shape.vocabulary * 4,
        "libraries": RUNTIME_BYTES["gpu" if machine.gpu else "cpu"],
    }


def _speed(shape: ModelShape, load: Load, machine: Machine) -> float:
    """Tokens per second from arithmetic: LoRA skips the gradients of frozen weights, checkpointing repeats a pass."""
    work = (6 if load.lora_rank is None else 4) + (2 if load.checkpointing else 0)
    return _flops(machine) / (work * shape.parameters)


def _flops(machine: Machine) -> float:
    if not machine.gpu:
        return CPU_FLOPS_PER_CORE * machine.cores
    return GPU_USE * next((flops for name, flops in GPU_FLOPS.items() if name in machine.gpu), OTHER_GPU_FLOPS)

"""An estimate: memory by part, time, cost; with the range it may honestly fall in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.train.estimate.load import Load
from studio.train.estimate.memory import memory_parts
from studio.train.estimate.speed import START_S, Source, Speed, speed_by_arithmetic, training_seconds
from studio.train.machine import Machine
from studio.train.shape import ModelShape

SPREAD = 0.15
COMFORT = 0.9
"""Share of the room that a run may fill and still be called fitting."""
SECONDS_SPREAD: dict[Source, tuple[float, float]] = {
    "rehearsal": (0.7, 1.4),
    "earlier run": (0.8, 1.3),
    "arithmetic": (0.5, 2.5),
}


@dataclass(frozen=True)
class Estimate:
    """Bytes by part and seconds, with the range they may honestly fall in."""

    parts: dict[str, int]
    room: int
    seconds: float
    """Of the whole job, loading and merging included."""
    tokens: int
    tokens_per_second: float
    measured: bool
    """The speed was measured on this machine, in a rehearsal or an earlier run."""
    source: Source = "arithmetic"
    training_seconds: float = 0.0
    """Between the first step and the last."""
    cost_usd: float | None = None
    """Hours times price per hour; None where no price is set."""

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
        low, high = SECONDS_SPREAD[self.source]
        return self.seconds * low, self.seconds * high

    @property
    def fit(self) -> str:
        """`fits`, `tight` or `too big` for this machine."""
        return fit_of(self.memory, self.room)

    def to_dict(self) -> dict[str, Any]:
        """What a run keeps of its estimate, to be checked against what happened."""
        return {
            "memory": self.parts,
            "room": self.room,
            "fit": self.fit,
            "seconds": round(self.seconds, 1),
            "training_seconds": round(self.training_seconds, 1),
            "tokens": self.tokens,
            "tokens_per_second": round(self.tokens_per_second, 1),
            "cost_usd": self.cost_usd,
            "measured": self.measured,
            "source": self.source,
        }


def estimate(
    shape: ModelShape,
    load: Load,
    machine: Machine,
    speed: Speed | float | None = None,
    price_per_hour: float | None = None,
) -> Estimate:
    """Memory, time and cost of a run on this machine; a plain number as speed is an earlier run's."""
    found = _speed(shape, load, machine, speed)
    training = training_seconds(shape, load, machine, found)
    seconds = START_S + training
    parts = memory_parts(shape, load, machine)
    rate = found.tokens_per_second
    facts = {"source": found.source, "training_seconds": training, "cost_usd": cost(seconds, price_per_hour)}
    return Estimate(parts, machine.room, seconds, load.tokens, rate, found.measured, **facts)  # type: ignore[arg-type]


def fit_of(memory: int, room: int) -> str:
    """`fits`, `tight` or `too big`: by the high end of the range, and by its low end."""
    if memory * (1 + SPREAD) <= COMFORT * room:
        return "fits"
    return "tight" if memory * (1 - SPREAD) <= room else "too big"


def cost(seconds: float, price_per_hour: float | None) -> float | None:
    """Dollars, or None where no price is set."""
    return None if not price_per_hour else round(seconds / 3600 * price_per_hour, 4)


def _speed(shape: ModelShape, load: Load, machine: Machine, given: Speed | float | None) -> Speed:
    if isinstance(given, Speed):
        return given
    return Speed(float(given), "earlier run") if given else speed_by_arithmetic(shape, load, machine)

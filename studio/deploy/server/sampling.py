"""Sampling: everything that decides which tokens one request gets and when it ends, checked for range."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from studio.deploy.server.errors import invalid

MAX_STOPS = 4
MAX_STOP_CHARACTERS = 1000
MAX_TOP = 20
MAX_CHOICES = 16
MAX_SEED = 1 << 64
MAX_BIASES = 1024


@dataclass(frozen=True)
class Sampling:
    """How to pick tokens and when to end. A temperature of 0 is greedy."""

    max_new_tokens: int | None = None
    temperature: float = 0.0
    top_k: int = 0
    """0: all tokens."""
    top_p: float = 1.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    """Of all tokens so far, the prompt's too; scores are divided or multiplied."""
    frequency_penalty: float = 0.0
    """Taken off a token's score once for every time the answer has it."""
    presence_penalty: float = 0.0
    """Taken off a token's score if the answer has it."""
    logit_bias: dict[int, float] = field(default_factory=dict)
    seed: int | None = None
    logprobs: bool = False
    top: int = 0
    """How many of the likeliest tokens to tell at each place."""
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises a validation error for what is out of range, in TGI's words where TGI has some."""
        _finite(self)
        if self.max_new_tokens is not None and self.max_new_tokens <= 0:
            raise invalid("`max_new_tokens` must be strictly positive")
        if self.temperature < 0:
            raise invalid("`temperature` must be strictly positive")
        if self.repetition_penalty <= 0:
            raise invalid("`repetition_penalty` must be strictly positive")
        for name in ("frequency_penalty", "presence_penalty"):
            if not -2 <= getattr(self, name) <= 2:
                raise invalid(f"`{name}` must be >= -2.0 and <= 2.0")
        if not 0 < self.top_p <= 1:
            raise invalid("`top_p` must be > 0.0 and < 1.0")
        if not 0 < self.typical_p <= 1:
            raise invalid("`typical_p` must be > 0.0 and < 1.0")
        if self.top_k < 0:
            raise invalid("`top_k` must be strictly positive")
        if not 0 <= self.top <= MAX_TOP:
            raise invalid(f"`top_n_tokens` must be >= 0 and <= {MAX_TOP}. Given: {self.top}")
        if self.seed is not None and not 0 <= self.seed < MAX_SEED:
            raise invalid("`seed` must be >= 0 and fit 64 bits")
        _check_stops(self.stop)
        _check_biases(self.logit_bias)

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature == 0

    @property
    def adjusts(self) -> bool:
        """Whether scores change before a token is picked."""
        penalties = (self.repetition_penalty, self.frequency_penalty, self.presence_penalty)
        return penalties != (1.0, 0.0, 0.0) or bool(self.logit_bias)

    @property
    def cuts(self) -> bool:
        """Whether unlikely tokens are left out before one is drawn."""
        return self.top_k > 0 or self.top_p < 1 or self.typical_p < 1


def _finite(sampling: Sampling) -> None:
    numbers = {name: value for name, value in vars(sampling).items() if isinstance(value, float)}
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise invalid(f"`{name}` must be a finite number")


def _check_stops(stops: tuple[str, ...]) -> None:
    if len(stops) > MAX_STOPS:
        raise invalid(f"`stop` supports up to {MAX_STOPS} stop sequences. Given: {len(stops)}")
    if any(len(stop) > MAX_STOP_CHARACTERS for stop in stops):
        raise invalid(f"a stop sequence may have {MAX_STOP_CHARACTERS} characters at most")


def _check_biases(biases: dict[int, float]) -> None:
    if len(biases) > MAX_BIASES:
        raise invalid(f"`logit_bias` supports up to {MAX_BIASES} tokens. Given: {len(biases)}")
    if not all(-100 <= value <= 100 for value in biases.values()):
        raise invalid("`logit_bias` values must be >= -100 and <= 100")

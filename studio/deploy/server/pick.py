"""Pick: one request inside the batch. The batching thread adds tokens to it, the event loop takes them out."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from typing import Any

from studio.deploy.server.sampling import Sampling


class Pick:
    """How this request's tokens are picked, which ones were, and who waits for them."""

    def __init__(self, sampling: Sampling, prompt: list[int]) -> None:
        self.sampling = sampling
        self.seed = None if sampling.greedy else sampling.seed if sampling.seed is not None else secrets.randbits(64)
        self.tokens: list[int] = []
        self.logprobs: list[float] = []
        self.tops: list[list[tuple[int, float]]] = []
        self.started = 0.0
        """When the engine first worked on it, on the performance clock; 0 while it waits."""
        self.error = ""
        self.news = asyncio.Event()
        self._random = random.Random(self.seed)
        self._prompt = prompt
        self._seen = set(prompt) if sampling.repetition_penalty != 1.0 else set()
        self._counts: Counter[int] = Counter()

    def __deepcopy__(self, _memo: Any) -> Pick:
        """The engine copies a request's settings when it moves it out of a full cache; it stays the same request."""
        return self

    def chance(self) -> float:
        """The next random number of this request's own row, so that a seed gives the same answer in any company."""
        return self._random.random()

    def take(self, token: int) -> None:
        """The token that was picked."""
        if self.sampling.adjusts:
            self._seen.add(token)
            self._counts[token] += 1
        self.tokens.append(token)

    @property
    def repeated(self) -> list[int]:
        """All tokens so far, each once."""
        return list(self._seen)

    @property
    def counts(self) -> Counter[int]:
        """How often the answer has each token."""
        return self._counts

    def fail(self, reason: str) -> None:
        """The engine gave up on it."""
        self.error = reason or "the engine gave up"
        self.news.set()

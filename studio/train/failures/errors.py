"""The ways a run ends badly that the training process itself recognises."""

from __future__ import annotations

from studio.errors import StudioError


class OutOfMemory(StudioError):
    """The run did not fit in memory, even with one row at a time. Shorten the longest row or choose a smaller base."""


class Diverged(StudioError):
    """The numbers ran away (not a number): the learning rate is too high for this model. Lower it and train again."""

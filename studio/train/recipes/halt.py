"""Ways to leave a trainer's loop from inside it. None of them is an error."""

from __future__ import annotations


class Halt(Exception):
    """Leave the loop now."""


class Finished(Halt):
    """Nothing is left to train: the run was interrupted after its last step."""


class Stopped(Halt):
    """A stop was asked for."""

    def __init__(self, saved: bool) -> None:
        """`saved` tells that a checkpoint holds every step so far."""
        super().__init__()
        self.saved = saved

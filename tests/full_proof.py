"""How often the same thing is proven: a few times in every test run, as often as asked for with STUDIO_FULL_PROOF=1."""

from __future__ import annotations

import os

import pytest

FULL = os.environ.get("STUDIO_FULL_PROOF") == "1"
once_more = pytest.mark.skipif(not FULL, reason="the same proof once more: STUDIO_FULL_PROOF=1 runs it")


def times(few: int, all_of_them: int) -> int:
    """How many repetitions to make."""
    return all_of_them if FULL else few

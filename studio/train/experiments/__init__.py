"""Experiments: the same run with other values, several side by side, and what came of them."""

from __future__ import annotations

from studio.train.experiments.comparison import AXES, Comparison, Difference, Outcome
from studio.train.experiments.service import Experiments
from studio.train.experiments.sweeps import SweepPlan, SweepRun

__all__ = ["AXES", "Comparison", "Difference", "Experiments", "Outcome", "SweepPlan", "SweepRun"]

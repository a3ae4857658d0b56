"""What a run will take: memory by part, time and cost; as ranges, and checked against what happened."""

from __future__ import annotations

from studio.train.estimate.fit import Badge, Fix, badge, badges, fixes
from studio.train.estimate.load import Load, Watched, load_of
from studio.train.estimate.memory import memory_parts
from studio.train.estimate.reality import check
from studio.train.estimate.speed import Speed
from studio.train.estimate.whole import Estimate, estimate

__all__ = ["Badge", "Estimate", "Fix", "Load", "Speed", "Watched", "badge", "badges", "check", "estimate", "fixes"]
__all__ += ["load_of", "memory_parts"]

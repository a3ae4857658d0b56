"""The run doctor: what would make a run fail or mislead, found before it starts, each with what to do.

One file per check; none of them loads a model, so the page can ask at every change. `train.rehearse` goes further.
"""

from __future__ import annotations

from pathlib import Path

from storage.tables import Model
from studio.curate.snapshot import VersionData
from studio.train.data import TrainingData, of_version, speaks_tools
from studio.train.doctor.base import reach
from studio.train.doctor.disk import space
from studio.train.doctor.features import missing_features
from studio.train.doctor.finding import Case, Check, Finding, worst_first
from studio.train.doctor.lengths import cut_rows
from studio.train.doctor.memory import room
from studio.train.doctor.preferences import longer, thumbs
from studio.train.doctor.repeats import exact_repeats, torn
from studio.train.doctor.rows import amount, golden, left_out
from studio.train.doctor.skew import label_skew
from studio.train.doctor.template import chat_template, ending
from studio.train.machine import Device
from studio.train.plan import Plan
from studio.train.weights import Endings

__all__ = ["CHECKS", "Case", "Finding", "examine", "findings", "worst_first"]

CHECKS: tuple[Check, ...] = (
    *(amount, left_out, golden, exact_repeats, torn, cut_rows, chat_template, ending, room, space),
    *(label_skew, thumbs, longer, missing_features, reach),
)


def examine(
    version: VersionData,
    plan: Plan,
    template: str | None,
    disk: Path,
    *,
    lines: TrainingData | None = None,
    device: Device | None = None,
    base: Model | None = None,
    endings: Endings | None = None,
) -> list[Finding]:
    """All findings, worst first. `lines`: what the method learns from, where the caller gathered it already."""
    lines = lines or of_version(version, plan.method, tools=speaks_tools(template))
    return findings(Case(version, plan, template, disk, lines, device, base, endings))


def findings(case: Case) -> list[Finding]:
    """What every check noticed, worst first."""
    return worst_first([finding for check in CHECKS for finding in check(case)])

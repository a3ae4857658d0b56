"""The run doctor: what would make a run fail or mislead, found before it starts, each with what to do."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.curate.leakage import leaks
from studio.curate.snapshot import VersionData
from studio.train.data import why_left_out
from studio.train.machine import GIB
from studio.train.plan import Plan

FEW_ROWS = 50
CHECKPOINTS_KEPT = 3


@dataclass(frozen=True)
class Finding:
    """One thing the doctor noticed. An `error` stops the run; a `warning` does not."""

    severity: str
    """error, warning, info."""
    text: str
    fix: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong and what to do."""
        return f"{self.text} {self.fix}".strip()


def examine(version: VersionData, plan: Plan, template: str | None, disk: Path) -> list[Finding]:
    """All findings, worst first."""
    found = [*_rows(version), *_lengths(plan), *_template(template), *_room(plan), *_space(plan, disk)]
    return sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.severity))


def _rows(version: VersionData) -> Iterator[Finding]:
    leaked = set(leaks(version.train, version.golden))
    reasons = Counter(why_left_out(row, leaked) for row in version.train)
    usable = reasons.pop(None, 0)
    if not usable:
        yield Finding("error", "There is no row to train on.", "Add examples on Curate and freeze a new version.")
    elif usable < FEW_ROWS:
        yield Finding("warning", f"Only {usable} rows to learn from.", "A hundred or more usually help a lot.")
    if count := reasons["repeats a golden prompt"]:
        text = f"{count} training rows repeat a golden prompt; they are left out, or the score would flatter."
        yield Finding("warning", text, "Freeze a new version to remove them for good.")
    if count := reasons["calls tools"]:
        yield Finding("info", f"{count} rows call tools; this recipe learns text answers and leaves them out.")
    if count := reasons["is empty"]:
        yield Finding("warning", f"{count} rows have an empty answer and are left out.", "Correct them on Curate.")
    if not version.golden:
        yield Finding("warning", "There is no golden set, so nothing will prove the model better.", "See Curate.")
    yield from _repeats(version)


def _repeats(version: VersionData) -> Iterator[Finding]:
    pairs = Counter((row.prompt_hash, row.output) for row in version.train)
    repeated = sum(count - 1 for count in pairs.values())
    if repeated:
        text = f"{repeated} rows repeat another row exactly and weigh double."
        yield Finding("warning", text, "Freeze a new version to drop them.")
    answers: dict[str, set[str]] = {}
    for row in version.train:
        answers.setdefault(row.prompt_hash, set()).add(row.output)
    if torn := sum(len(outputs) > 1 for outputs in answers.values()):
        text = f"{torn} prompts appear with different answers; the model will learn to waver."
        yield Finding("warning", text, "Decide on one answer each on Label.")


def _lengths(plan: Plan) -> Iterator[Finding]:
    limit, counts = plan.value("max_length"), plan.situation.lengths.counts
    over = sum(count > limit for count in counts)
    if over:
        text = f"About {over / len(counts):.0%} of the rows are longer than {limit} tokens and would be cut."
        yield Finding("warning", text, "Raise the longest row under Advanced, or shorten the prompts.")


def _template(template: str | None) -> Iterator[Finding]:
    if template is None:
        return
    if not template:
        text = "The base model has no chat template, so it cannot read messages."
        yield Finding("error", text, "Choose an instruction-tuned base.")
    elif "generation" not in template:
        text = "The base's chat template does not mark answers; only the last answer of a row is learned."
        yield Finding("info", text)


def _room(plan: Plan) -> Iterator[Finding]:
    estimate = plan.estimate
    low, high = (part / GIB for part in estimate.memory_range)
    needs = f"The run needs about {low:.1f} to {high:.1f} GiB and this machine has {estimate.room / GIB:.1f}."
    if estimate.fit == "too big":
        yield Finding("error", needs, "Choose a smaller base, or run on a machine with more memory.")
    elif estimate.fit == "tight":
        yield Finding("warning", needs, "Close other programs, or lower the rows per step under Advanced.")


def _space(plan: Plan, disk: Path) -> Iterator[Finding]:
    needed = plan.situation.shape.parameters * 4 * (2 + CHECKPOINTS_KEPT)
    while not disk.exists():
        disk = disk.parent
    free = shutil.disk_usage(disk).free
    if free < needed:
        text = f"The run may write {needed / GIB:.1f} GiB and the disk has {free / GIB:.1f} GiB free."
        yield Finding("error", text, "Free some space first.")

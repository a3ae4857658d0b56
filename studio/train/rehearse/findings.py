"""What a rehearsal found, in the doctor's words."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

from studio.train.doctor.finding import Finding
from studio.train.doctor.memory import best_fix
from studio.train.estimate.whole import COMFORT
from studio.train.machine import GIB
from studio.train.plan import Plan

STEP = 64
MIB = 1 << 20


def findings_of(found: dict[str, Any], plan: Plan) -> list[Finding]:
    """What the trainer itself showed, beyond what could be told without it."""
    checks = (_memory, _numbers, _masked, _cut, _endings, _learned)
    return [finding for check in checks for finding in check(found, plan)]


def too_big(needed: int, plan: Plan) -> Finding:
    """The dry run says it cannot fit, so the model was not loaded."""
    room = plan.situation.machine.room / GIB
    text = f"A dry run counted {needed / GIB:.1f} GiB and this machine has {room:.1f}; the model was not loaded."
    fix = best_fix(plan)
    return Finding("error", text, f"{fix.label}." if fix else "Choose a smaller base.", fix.overrides if fix else {})


def _memory(found: dict[str, Any], plan: Plan) -> Iterator[Finding]:
    fix = best_fix(plan)
    if found.get("out_of_memory"):
        half = max(1, int(plan.value("micro_batch") or 2) // 2)
        label = f"{fix.label}." if fix else f"Hold {half} rows in memory at once."
        text = "Memory ran out in the rehearsal."
        yield Finding("error", text, label, fix.overrides if fix else {"micro_batch": half})
    elif (peak := found.get("peak_memory_mb", 0) * MIB) > COMFORT * plan.situation.machine.room:
        text = f"The rehearsal filled {peak / GIB:.1f} of {plan.situation.machine.room / GIB:.1f} GiB."
        yield Finding(
            "warning", text, f"{fix.label}." if fix else "Close other programs.", fix.overrides if fix else {}
        )


def _numbers(found: dict[str, Any], plan: Plan) -> Iterator[Finding]:
    if found.get("finite") is False:
        rate = plan.value("learning_rate") / 10
        text = "The loss was not a number in the first steps."
        yield Finding("error", text, f"Lower the learning rate to {rate:g}.", {"learning_rate": rate})


def _masked(found: dict[str, Any], plan: Plan) -> Iterator[Finding]:
    counts = found["counts"]
    lost = max(counts["dropped"], counts["fully_masked"])
    if not lost:
        return
    text = (
        f"{lost} of {counts['rows']} rows teach nothing: their prompt alone fills {plan.value('max_length')} tokens, "
    )
    severity = "error" if lost == counts["rows"] else "warning"
    yield Finding(severity, text + "and the trainer drops them without a word.", *_longer(plan))


def _cut(found: dict[str, Any], plan: Plan) -> Iterator[Finding]:
    counts = found["counts"]
    cut = counts["truncated"] - counts["fully_masked"]
    if cut > 0:
        text = (
            f"{cut} of {counts['rows']} rows are cut at {plan.value('max_length')} tokens and lose part of the answer."
        )
        yield Finding("warning", text, *_longer(plan))


def _endings(found: dict[str, Any], _plan: Plan) -> Iterator[Finding]:
    if found.get("unended") and found.get("ends_matter"):
        stops = " or ".join(found["stops"]) or "its end token"
        text = f"{found['unended']} answers do not end with {stops}, at which a server stops: it would go on writing."
        yield Finding("warning", text, "Choose the instruction-tuned form of this base, or another one.")


def _learned(found: dict[str, Any], _plan: Plan) -> Iterator[Finding]:
    rows = found.get("rows") or []
    if found.get("nothing_learned"):
        text = f"{found['nothing_learned']} prepared rows have no token that is learned."
        yield Finding("warning", text, "Their answers are empty to this base's chat template; look at them on Curate.")
    shares = [row["learned"] / row["length"] for row in rows if row["length"]]
    if shares and found.get("ends_matter") and min(shares) == 1.0 and not rows[0]["part"]:
        text = "Every token is learned, the questions too: the base's chat template does not mark answers."
        yield Finding("warning", text, "Choose a base whose chat template marks them.")


def _longer(plan: Plan) -> tuple[str, dict[str, Any]]:
    situation = plan.situation
    wanted = min(ceil(situation.lengths.longest * 1.15 / STEP) * STEP, situation.shape.context)
    if wanted > (plan.value("max_length") or 0):
        return f"Raise the longest row to {wanted}.", {"max_length": wanted}
    return "Shorten the prompts, or choose a base that reads more.", {}

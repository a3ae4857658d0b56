"""How it learns: passes over the data, learning rate and its course, rows per step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from studio.train.methods import Method
from studio.train.plan import Choice, Situation

EPOCHS_FACTOR = {"quick": 1 / 3, "balanced": 1.0, "best": 1.5}
TINY_ROWS_SEEN = 4800
"""Rows a tiny model must see (300 steps of 16) to go from nothing to nearly all right on a closed-vocabulary task."""
LORA_RATE, FULL_RATE_SHARE = 5e-5 * 10, 0.1
RATE_LIMITS = (1e-5, 5e-4)
TINY_RATES = {True: 1e-2, False: 6e-3}
"""By whether an adapter is trained."""


@dataclass(frozen=True)
class Pace:
    """How fast a method may go beside SFT, and how much it wants to see."""

    adapter: float
    """Share of SFT's learning rate with an adapter."""
    full: float
    tiny_rows: int
    """Rows (or prompts) that a tiny model sees."""
    rows: int
    """Rows that a real model sees, between one pass and `most` passes."""
    most: int
    source: str


SFT_PACE = Pace(1, 1, TINY_ROWS_SEEN, 10_000, 10, "OpenPipe's rule: 10,000 over rows, 1 to 10")
PREFERENCE = Pace(1 / 20, 1 / 60, 1600, 2000, 3, "measured; TRL: 1 to 3 passes")
PACES = {
    "sft": SFT_PACE,
    "distil": SFT_PACE,
    "dpo": PREFERENCE,
    "ipo": PREFERENCE,
    "kto": PREFERENCE,
    "cpo": PREFERENCE,
    "simpo": PREFERENCE,
    "orpo": Pace(1 / 4, 1 / 4, 2400, 5000, 5, "Hong et al. 2024"),
    "reward": Pace(1 / 6, 1 / 6, 1600, 2000, 1, "measured; TRL: one pass"),
    "grpo": Pace(1 / 100, 1 / 20, 240, 2000, 1, "measured; Unsloth's RL guide"),
}
TINY_GRPO = 1 / 20
"""Measured: a tiny model practises at a twentieth of its SFT rate."""


def choices(situation: Situation, preset: str, method: Method, chosen: dict[str, Any]) -> Iterator[Choice]:
    """Passes, rate, course, warm-up, decay, clipping and batch."""
    yield epochs(situation, preset, method)
    yield rate(situation, method, adapter=chosen.get("training", "lora") != "full")
    yield Choice("lr_scheduler_type", "Course of the rate", "linear", "Falls evenly to nothing; ends calm.", "TRL")
    warm = "The first 8 % of the steps climb to the rate, so that the start breaks nothing."
    yield Choice("warmup_steps", "Warm-up", 0.08, warm, "TRL, Axolotl: 3 to 10 %")
    yield Choice("weight_decay", "Weight decay", 0.0, "Short runs on little data need none.", "TRL")
    yield Choice("max_grad_norm", "Gradient limit", 1.0, "One odd row cannot throw the model off.", "TRL")
    yield batch(situation, method)


def epochs(situation: Situation, preset: str, method: Method) -> Choice:
    """Passes over the data."""
    rows, pace = max(situation.rows, 1), PACES[method.name]
    if situation.shape.is_tiny:
        least = 1.0 if pace is SFT_PACE else 0.05
        passes, source = min(max(pace.tiny_rows / rows, least), 10), "measured"
    else:
        passes, source = min(max(round(pace.rows / rows), 1), pace.most), pace.source
    passes = round(max(passes * EPOCHS_FACTOR[preset], 0.5 if pace is SFT_PACE else 0.05), 2)
    what = {"pairs": "pairs", "judged": "judged answers", "prompts": "prompts"}.get(method.need.what, "rows")
    reason = f"{rows:,} {what} seen {passes:g} times; more would teach it your data's mistakes too."
    return Choice("num_train_epochs", "Passes over the data", passes, reason, source)


def rate(situation: Situation, method: Method, adapter: bool) -> Choice:
    """The learning rate: SFT's for this model, and the method's share of it."""
    pace, tiny = PACES[method.name], situation.shape.is_tiny
    share = TINY_GRPO if tiny and method.name == "grpo" else pace.adapter if adapter else pace.full
    base, reason, source = _sft_rate(situation, adapter)
    if share == 1:
        return Choice("learning_rate", "Learning rate", base, reason, source)
    reason = f"1/{round(1 / share)} of the rate for learning answers ({base:g}): faster, and the text falls apart."
    return Choice("learning_rate", "Learning rate", float(f"{base * share:.2g}"), reason, pace.source)


def batch(situation: Situation, method: Method) -> Choice:
    """Rows per step; in GRPO, answers tried per step."""
    if method.name == "grpo":
        reason = "Four prompts a step, each tried several times."
        return Choice("batch_size", "Answers per step", 32, reason, "measured; TRL")
    size = 16 if situation.shape.is_tiny else 8 if situation.rows < 10_000 else 32
    return Choice("batch_size", "Rows per step", size, "Steady steps without waste at this data size.", "OpenPipe, TRL")


def _sft_rate(situation: Situation, adapter: bool) -> tuple[float, str, str]:
    shape = situation.shape
    if shape.is_tiny:
        return TINY_RATES[adapter], "Tiny models learn fast and safely.", "measured"
    power = 0.0775 if shape.family.startswith("qwen") else 0.781
    low, high = RATE_LIMITS
    found = min(max(LORA_RATE * (2000 / shape.hidden) ** power, low), high) * (1 if adapter else FULL_RATE_SHARE)
    how = "." if adapter else ", a tenth of an adapter's."
    reason = f"For a {shape.family or 'model'} of width {shape.hidden}{how}"
    return float(f"{found:.2g}"), reason, "Tinker's formula, capped"

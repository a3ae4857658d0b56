"""The rules of advice: a value for everything that matters, each with its reason and where the rule comes from."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.errors import InvalidInput
from studio.train.estimate import Estimate, Load, estimate
from studio.train.plan import Choice, Plan, Situation

PRESETS = {
    "quick": "A first look: about a third of the learning.",
    "balanced": "What most runs want.",
    "best": "Half as much learning again, stopped early when it stops helping.",
}
EPOCHS_FACTOR = {"quick": 1 / 3, "balanced": 1.0, "best": 1.5}
METHODS = ("sft",)
TINY_ROWS_SEEN = 4800
"""Rows a tiny model must see (300 steps of 16) to go from nothing to nearly all right on a closed-vocabulary task."""
LORA_RATE, FULL_RATE_SHARE = 5e-5 * 10, 0.1
RATE_LIMITS = (1e-5, 5e-4)


class Overrides(BaseModel):
    """Values a person may set instead of the advised ones."""

    model_config = ConfigDict(extra="forbid")

    training: Literal["lora", "full"] | None = None
    lora_r: int | None = Field(None, ge=1, le=256)
    num_train_epochs: float | None = Field(None, gt=0, le=100)
    learning_rate: float | None = Field(None, gt=0, le=1)
    batch_size: int | None = Field(None, ge=1, le=512)
    max_length: int | None = Field(None, ge=16, le=131072)
    max_steps: int | None = Field(None, ge=1, le=1_000_000)
    seed: int | None = Field(None, ge=0, lt=2**31)


def parse_overrides(given: dict[str, Any] | None) -> dict[str, Any]:
    """The values given, checked. Raises InvalidInput naming the value and what is allowed."""
    try:
        return Overrides.model_validate(given or {}).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "overrides"
        raise InvalidInput(f"The training value {name!r} cannot be used: {first['msg'].lower()}.") from error


def make_plan(
    situation: Situation, preset: str = "balanced", method: str = "sft", overrides: dict[str, Any] | None = None
) -> Plan:
    """Advise on a run. Raises InvalidInput for an unknown preset, method or value."""
    if preset not in PRESETS or method not in METHODS:
        raise InvalidInput(f"Choose a preset of {', '.join(PRESETS)} and a method of {', '.join(METHODS)}.")
    chosen = parse_overrides(overrides)
    values = tuple(_override(choice, chosen) for choice in _advise(situation, preset, chosen))
    draft = Plan(preset, method, situation, values, _estimate(situation, values, 1))
    return replace(draft, estimate=_estimate(situation, values, draft.steps))


def _advise(situation: Situation, preset: str, chosen: dict[str, Any]) -> list[Choice]:
    lora = chosen.get("training", "lora") == "lora"
    return [
        Choice("training", "What is trained", "lora", *_WHY_LORA),
        _rank(situation, preset),
        _epochs(situation, preset),
        _rate(situation, lora),
        _batch(situation),
        _length(situation),
        _order(situation),
        Choice("max_steps", "Step limit", None, "No limit besides the epochs.", "studio"),
        Choice("seed", "Seed", 0, "The same seed, data and recipe give the same model on the same machine.", "studio"),
    ]


_WHY_LORA = (
    "An adapter learns nearly as well as training every weight on data of this size, with less memory.",
    "TRL, LoRA without regret",
)


def _rank(situation: Situation, preset: str) -> Choice:
    label = "Adapter rank"
    if situation.shape.is_tiny:
        return Choice("lora_r", label, 16, "Enough for a tiny model.", "measured")
    rank = 8 if situation.rows < 500 else 16 if situation.rows < 5000 else 32
    reason = f"{situation.rows:,} rows need no more room to be learned"
    return Choice("lora_r", label, rank * (2 if preset == "best" else 1), f"{reason}.", "Tinker, Unsloth guides")


def _epochs(situation: Situation, preset: str) -> Choice:
    rows = max(situation.rows, 1)
    if situation.shape.is_tiny:
        epochs, source = min(max(TINY_ROWS_SEEN / rows, 1), 10), "measured"
    else:
        epochs, source = min(max(round(10_000 / rows), 1), 10), "OpenPipe's rule: 10,000 over rows, 1 to 10"
    epochs = round(max(epochs * EPOCHS_FACTOR[preset], 0.5), 2)
    reason = f"{rows:,} rows seen {epochs:g} times; more would teach it your data's mistakes too."
    return Choice("num_train_epochs", "Passes over the data", epochs, reason, source)


def _rate(situation: Situation, lora: bool) -> Choice:
    label, shape = "Learning rate", situation.shape
    if shape.is_tiny:
        return Choice("learning_rate", label, 1e-2 if lora else 6e-3, "Tiny models learn fast and safely.", "measured")
    power = 0.0775 if shape.family.startswith("qwen") else 0.781
    low, high = RATE_LIMITS
    rate = min(max(LORA_RATE * (2000 / shape.hidden) ** power, low), high) * (1 if lora else FULL_RATE_SHARE)
    how = "." if lora else ", a tenth of an adapter's."
    reason = f"For a {shape.family or 'model'} of width {shape.hidden}{how}"
    return Choice("learning_rate", label, float(f"{rate:.2g}"), reason, "Tinker's formula, capped")


def _batch(situation: Situation) -> Choice:
    size = 16 if situation.shape.is_tiny else 8 if situation.rows < 10_000 else 32
    return Choice("batch_size", "Rows per step", size, "Steady steps without waste at this data size.", "OpenPipe, TRL")


def _length(situation: Situation) -> Choice:
    wanted = max(64, ceil(situation.lengths.longest * 1.15 / 64) * 64)
    value = min(wanted, situation.shape.context)
    counted = "counted with its tokenizer" if situation.lengths.exact else "guessed from characters"
    reason = f"Your longest row has about {situation.lengths.longest} tokens ({counted}); none is cut."
    if value < wanted:
        reason = f"The most this model can read; rows over {value} tokens are cut."
    return Choice("max_length", "Longest row", value, reason, "your data")


def _order(situation: Situation) -> Choice:
    lengths = situation.lengths
    if lengths.longest > 2 * max(lengths.mean, 1):
        reason = "Your rows differ much in length; batching alike ones wastes up to three times less."
        return Choice("order", "Order of rows", "group_by_length", reason, "measured")
    return Choice("order", "Order of rows", "random", "Your rows are of similar length.", "measured")


def _override(choice: Choice, chosen: dict[str, Any]) -> Choice:
    if choice.name not in chosen:
        return choice
    return replace(choice, value=chosen[choice.name], reason="You chose this.", source="you")


def _estimate(situation: Situation, values: tuple[Choice, ...], steps: int) -> Estimate:
    named = {choice.name: choice.value for choice in values}
    row_tokens = min(situation.lengths.longest or 64, named["max_length"])
    rank = named["lora_r"] if named["training"] == "lora" else None
    tokens = int(steps * named["batch_size"] * min(situation.lengths.mean or 64, named["max_length"]))
    batch = named["batch_size"] if situation.shape.is_tiny else min(named["batch_size"], 2)
    load = Load(rank, batch, row_tokens, tokens, checkpointing=not situation.shape.is_tiny)
    return estimate(situation.shape, load, situation.machine, situation.speed)

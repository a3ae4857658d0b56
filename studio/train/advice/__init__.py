"""The rules of advice: a value for everything that matters, each with its reason and where the rule comes from."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import Any

from studio.errors import InvalidInput
from studio.train.advice import adapter, learning, preference, rows, watching
from studio.train.advice.overrides import NAMES, Overrides, parse_overrides
from studio.train.estimate import Estimate, Load, Watched, estimate, load_of
from studio.train.estimate.load import PAIRED
from studio.train.methods import METHODS, Method, method
from studio.train.plan import Choice, Plan, Situation
from studio.train.writing import EVALUATIONS, evaluated_at_once

__all__ = ["NAMES", "PRESETS", "Overrides", "load_for", "make_plan", "parse_overrides"]
PRESETS = {
    "quick": "A first look: about a third of the learning.",
    "balanced": "What most runs want.",
    "best": "Half as much learning again, stopped early when it stops helping.",
}
SPARE = 0.9
"""Share of the room from which a run keeps fewer activations in memory."""


def make_plan(
    situation: Situation, preset: str = "balanced", method_name: str = "sft", overrides: dict[str, Any] | None = None
) -> Plan:
    """Advise on a run. Raises InvalidInput for an unknown preset, method or value."""
    if preset not in PRESETS:
        raise InvalidInput(f"Choose a preset of {', '.join(PRESETS)}.")
    way, chosen = method(method_name), parse_overrides(overrides)
    advised = [_override(choice, chosen) for choice in _advise(situation, preset, way, chosen)]
    values = (*advised, *_at_once(situation, way, advised, chosen), *_only_asked(chosen, advised))
    _check(values, way)
    draft = Plan(preset, way.name, situation, values, _estimate(situation, way, values, 1))
    return replace(draft, estimate=_estimate(situation, way, values, draft.steps))


def load_for(situation: Situation, way: Method, values: dict[str, Any], steps: int) -> Load:
    """How heavy a run with these values is."""
    longest, mean = situation.lengths.longest or 64, situation.lengths.mean or 64
    limit, written = values["max_length"], values.get("max_completion_length") or 0
    answers = 2 if way.name in PAIRED else 1
    tokens = int(steps * values["batch_size"] * answers * min(mean, limit))
    load = load_of(way.name, values, min(longest, limit), tokens, new_tokens=written, tried_steps=steps * written)
    return replace(
        load, watched=_watched(situation, values, steps, answers), scored_share=_scored_share(situation, way)
    )


def _watched(situation: Situation, values: dict[str, Any], steps: int, sequences: int) -> Watched:
    answers, rows = situation.answers, situation.lengths.mean or 64
    tries, written = values.get("num_generations") or 0, values.get("max_completion_length") or 0
    batches = ceil(situation.held_out * tries / evaluated_at_once(values, situation.shape.is_tiny))
    return Watched.of(
        steps,
        max(1, steps // EVALUATIONS),
        held_out=situation.held_out,
        golden=situation.golden,
        row_tokens=rows,
        answer_tokens=answers.longest if answers else int(rows / 2),
        sequences=sequences,
        tried=batches * written,
    )


def _scored_share(situation: Situation, way: Method) -> float:
    """On a CPU only answers are compared with the vocabulary."""
    if situation.machine.gpu or situation.answers is None or way.trainer not in ("sft", "grpo"):
        return 1.0
    return min(1.0, (situation.answers.mean + 1) / max(situation.lengths.mean, 1))


def _advise(situation: Situation, preset: str, way: Method, chosen: dict[str, Any]) -> list[Choice]:
    pace = [_override(choice, chosen) for choice in learning.choices(situation, preset, way, chosen)]
    return [
        *adapter.choices(situation, preset, way, chosen),
        *pace,
        *preference.choices(situation, way),
        *rows.choices(situation, way, _steps(situation, pace, chosen)),
        *watching.choices(preset, way),
    ]


def _steps(situation: Situation, pace: list[Choice], chosen: dict[str, Any]) -> int:
    """Steps of a run whose rows are read in an order."""
    values = {choice.name: choice.value for choice in pace}
    wanted: int = ceil(values["num_train_epochs"] * situation.rows / values["batch_size"])
    limit: int = chosen.get("max_steps") or wanted
    return min(wanted, limit)


def _at_once(situation: Situation, way: Method, advised: list[Choice], chosen: dict[str, Any]) -> list[Choice]:
    """Rows in memory at once, and whether activations are kept or made again: only where memory asks for it."""
    values = {choice.name: choice.value for choice in advised}
    tries = values.get("num_generations") or 1
    size = _override(rows.micro_batch(situation, way, values["batch_size"], tries), chosen)
    load = load_for(situation, way, {**values, "micro_batch": size.value, "checkpointing": False}, 1)
    needed = estimate(situation.shape, load, situation.machine).memory
    tight = needed > SPARE * situation.machine.room
    reason = "Keeping them would not fit; making them again takes a third longer." if tight else "They fit in memory."
    saving = Choice("checkpointing", "Make activations again", tight, reason, "estimate")
    return [size, _override(saving, chosen)]


def _only_asked(chosen: dict[str, Any], advised: list[Choice]) -> list[Choice]:
    """Values that nothing advises and somebody set; an adapter's mean nothing where every weight is trained."""
    named = {choice.name for choice in advised} | {"micro_batch", "checkpointing"}
    asked = {name: value for name, value in chosen.items() if name not in named and not name.startswith("lora_")}
    return [Choice(name, name, value, "You chose this.", "you") for name, value in asked.items()]


def _override(choice: Choice, chosen: dict[str, Any]) -> Choice:
    if choice.name not in chosen:
        return choice
    return replace(choice, value=chosen[choice.name], reason="You chose this.", source="you")


def _check(values: tuple[Choice, ...], way: Method) -> None:
    """Raise InvalidInput for values that do not go together."""
    named = {choice.name: choice.value for choice in values}
    batch, micro, tries = named["batch_size"], named["micro_batch"], named.get("num_generations")
    if batch % micro:
        raise InvalidInput(f"The training value 'batch_size' ({batch}) must be a multiple of 'micro_batch' ({micro}).")
    if way.name == "grpo" and tries and batch % tries:
        raise InvalidInput(
            f"The training value 'batch_size' ({batch}) must be a multiple of 'num_generations' ({tries})."
        )
    for name in named.keys() & FOREIGN.keys():
        if way.name not in FOREIGN[name]:
            raise InvalidInput(f"The training value {name!r} is for {', '.join(FOREIGN[name])}; {way.name} has none.")


def _estimate(situation: Situation, way: Method, values: tuple[Choice, ...], steps: int) -> Estimate:
    named = {choice.name: choice.value for choice in values}
    load, price = load_for(situation, way, named, steps), situation.price_per_hour
    return estimate(situation.shape, load, situation.machine, situation.speed, price)


FOREIGN: dict[str, tuple[str, ...]] = {
    "beta": tuple(preference.BETAS),
    "loss_type": ("dpo", "ipo", "cpo", "simpo"),
    "desirable_weight": ("kto",),
    "undesirable_weight": ("kto",),
    "num_generations": ("grpo",),
    "temperature": ("grpo",),
    "rewards": ("grpo",),
    "max_completion_length": ("grpo",),
    "teacher_model_id": ("distil",),
    "every_turn": ("sft", "distil"),
    "packing": ("sft", "distil"),
    "order": tuple(name for name, way in METHODS.items() if way.trainer not in rows.UNORDERED),
}
"""Values that only some methods have."""

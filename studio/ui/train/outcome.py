"""A finished run in figures: what it moved, its losses, its speed, and how good the estimate was."""

from __future__ import annotations

from typing import Any

import streamlit as st

from storage.tables import TrainingRun
from studio.ui.components import metric_row
from studio.ui.formats import percent, plain, span

HELD_OUT = "Answers equal to the data's, which may be wrong themselves; Evaluate measures against verified ones."
Cells = list[tuple[str, str, str]]


def outcome(run: TrainingRun) -> None:
    """The run's figures, as far as it has them."""
    if run.summary:
        metric_row([*_right(run.summary), *_target(run.summary), *_golden(run.summary), *_loss(run.summary)])
        st.caption(plain(took(run.summary)))


def took(summary: dict[str, Any]) -> str:
    """Steps, tokens, speed, memory and device in one line."""
    parts = [
        span(summary["wall_s"]) if "wall_s" in summary else "",
        f"{summary['steps']:,} steps" if "steps" in summary else "",
        f"best at step {summary['best_step']:,}" if summary.get("best_step") else "",
        f"{summary['tokens']:,} tokens" if "tokens" in summary else "",
        f"{summary['tokens_per_second']:,.0f} tokens/s" if summary.get("tokens_per_second") else "",
        f"{summary['peak_memory_mb']:,.0f} MB at most" if summary.get("peak_memory_mb") else "",
        f"on {summary['device']}" if summary.get("device") else "",
    ]
    return " · ".join(part for part in parts if part)


def _right(summary: dict[str, Any]) -> Cells:
    exact = summary.get("greedy_exact")
    return [] if exact is None else [("Held-out, wholly right", percent(exact), HELD_OUT)]


def _target(summary: dict[str, Any]) -> Cells:
    target = summary.get("target") or {}
    before, after = target.get("before"), target.get("after")
    if before is None or after is None or "loss" in str(target.get("name")):
        return []
    return [(plain(target_label(str(target["name"]))), moved(target), "What this method is there to move.")]


def _golden(summary: dict[str, Any]) -> Cells:
    golden = summary.get("golden") or {}
    return [_golden_cell(name, found, golden) for name, found in (golden.get("after") or {}).items()][:2]


def _golden_cell(name: str, found: dict[str, float], golden: dict[str, Any]) -> tuple[str, str, str]:
    before = (golden.get("before") or {}).get(name)
    text = f"95 % interval {percent(found['low'])} to {percent(found['high'])}, n={found['n']:,}. Never learned from."
    value = f"{percent(before['mean'], 0)} → {percent(found['mean'], 0)}" if before else percent(found["mean"])
    return plain(f"Golden, {name.replace('_', ' ')}"), value, text


def _loss(summary: dict[str, Any]) -> Cells:
    held_out, training = summary.get("best_eval_loss"), summary.get("loss")
    if held_out is not None:
        return [("Best held-out loss", f"{held_out:.3f}", "Lower is better.")]
    return [] if training is None else [("Training loss", f"{training:.3f}", "At the last step; lower is better.")]


def moved(target: dict[str, Any]) -> str:
    """The method's own number before and after."""
    before, after = target["before"], target["after"]
    if "accurac" in str(target.get("name")):
        return f"{percent(before, 0)} → {percent(after, 0)}"
    return f"{before:.3g} → {after:.3g}"


def target_label(name: str) -> str:
    """The method's own number in words."""
    words = {
        "rewards/accuracies": "Prefers the better answer",
        "rewards/margins": "Margin of wanted over unwanted",
        "accuracy": "Agrees with people",
        "reward": "Reward",
    }
    return words.get(name.removeprefix("eval_"), name)

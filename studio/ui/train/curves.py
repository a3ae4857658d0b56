"""What a run's events say as lines: which numbers belong on one chart, and their points by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from studio.train.events import in_force, series

POINTS = 300
Events = list[dict[str, Any]]
_NOT_METRICS = frozenset({"kind", "at", "step", "n", "resumed_at"})


@dataclass(frozen=True)
class Chart:
    """One chart: its title, what it tells, and the logged number behind every line."""

    key: str
    title: str
    about: str
    lines: Mapping[str, str]
    is_share: bool = False


LOSS = Chart(
    "loss",
    "Loss",
    "How surprised the model is by the right answer; lower is better. Held-out rising while training falls: overfit.",
    {"Training": "loss", "Held-out": "eval_loss"},
)
TARGETS = (
    Chart(
        "margins",
        "Rewards of wanted and unwanted answers",
        "The wider apart, the clearer the model prefers what people preferred.",
        {"Wanted": "rewards/chosen", "Unwanted": "rewards/rejected", "Margin": "rewards/margins"},
    ),
    Chart(
        "accuracies",
        "Prefers the better answer",
        "Share of pairs where the model finds the better answer likelier.",
        {"Training": "rewards/accuracies", "Held-out": "eval_rewards/accuracies"},
        is_share=True,
    ),
    Chart(
        "judging",
        "Agrees with people",
        "Share of pairs that the reward model orders as people did.",
        {"Training": "accuracy", "Held-out": "eval_accuracy"},
        is_share=True,
    ),
    Chart("reward", "Reward", "What your check gives its tries on average; higher is better.", {"Reward": "reward"}),
    Chart("kl", "KL", "How far it has moved from where it started.", {"KL": "kl"}),
)
UNDER_THE_HOOD = (
    Chart("rate", "Learning rate", "", {"Learning rate": "learning_rate"}),
    Chart("norm", "Gradient norm", "", {"Gradient norm": "grad_norm"}),
    Chart("speed", "Tokens per second", "", {"Tokens per second": "tokens_per_second"}),
    Chart("memory", "Memory, MB", "", {"Memory": "memory_mb"}),
    Chart("entropy", "Entropy", "", {"Entropy": "entropy"}),
)


def frame(events: Events, lines: Mapping[str, str]) -> pd.DataFrame:
    """One row per step with a column per line, thinned to what a chart can show."""
    found = [_line(name, series(events, number)) for name, number in lines.items()]
    return joined([line for line in found if not line.empty])


def task_frame(events: Events) -> pd.DataFrame:
    """The task metric on held-out rows, which chooses the best checkpoint, beside the golden sample, only watched."""
    held_out = series(events, "eval_task") or series(events, "eval_greedy_exact")
    lines = [_line("Held-out", held_out), *golden_lines(events)]
    lines.append(_line("Right tokens", series(events, "eval_mean_token_accuracy")))
    return joined([line for line in lines if not line.empty])


def golden_lines(events: Events) -> list[pd.Series[float]]:
    """One line per metric measured on the golden sample."""
    seen = [event for event in in_force(events) if event["kind"] == "golden" and "step" in event]
    names = dict.fromkeys(name for event in seen for name in event if name not in _NOT_METRICS)
    points = {name: [(each["step"], each[name]) for each in seen if _is_number(each.get(name))] for name in names}
    alone = len(points) == 1
    return [
        _line("Golden sample" if alone else f"Golden sample, {name.replace('_', ' ')}", found)
        for name, found in points.items()
    ]


def joined(lines: list[pd.Series[float]]) -> pd.DataFrame:
    """The lines as one table by step."""
    if not lines:
        return pd.DataFrame({"Step": []})
    table = pd.concat([line.iloc[:: max(1, len(line) // POINTS)] for line in lines], axis=1).sort_index()
    return table.rename_axis("Step").reset_index()


def _line(name: str, points: list[tuple[int, float]]) -> pd.Series[float]:
    return pd.Series(dict(points), name=name, dtype=float)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""Rewards: what GRPO practises against. The studio's own scorers, or a reward model of the project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoModelForSequenceClassification, AutoTokenizer

from studio.errors import InvalidInput
from studio.scoring import scorer

DEFAULT: tuple[dict[str, Any], ...] = ({"name": "exact_match"}, {"name": "valid_json", "weight": 0.2})
MODEL, FOLDER = "reward_model", "rewards/model"
SHAPED = ("length",)
"""Scorers that measure rather than judge; what they tell is turned into a reward here."""


@dataclass(frozen=True)
class Check:
    """One reward as TRL takes it."""

    function: Any
    """A callable that returns one reward per answer, or a reward model."""
    weight: float = 1.0
    tokenizer: Any = None
    """Of a reward model; callables need none."""


class Scored:
    """A scorer as a reward function; its answers are between 0 and 1."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.scorer = scorer(spec)
        self.__name__ = str(spec["name"])

    def __call__(self, completions: list[Any], reference: list[str] | None = None, **_: Any) -> list[float | None]:
        """One reward per answer; None where the scorer does not apply to the row."""
        wanted = reference or [""] * len(completions)
        return [self.reward(_text(answer), right or "") for answer, right in zip(completions, wanted, strict=True)]

    def reward(self, answer: str, reference: str) -> float | None:
        """The mean of what the scorer tells, or None where it tells nothing."""
        told = self.scorer.score(answer, reference)
        values = [closeness(value) if self.__name__ in SHAPED else value for value in told.values()]
        return sum(values) / len(values) if values else None


def checks(specs: Sequence[dict[str, Any]], folder: Path) -> list[Check]:
    """The rewards that studio.json names. Raises InvalidInput when there is none."""
    if not specs:
        raise InvalidInput("GRPO needs at least one check to practise against: exact_match, valid_json, length.")
    return [_check(dict(spec), folder) for spec in specs]


def closeness(ratio: float) -> float:
    """1 for an answer as long as its reference, falling to 0 at nothing and at twice the length."""
    return max(0.0, 1.0 - abs(1.0 - ratio))


def _check(spec: dict[str, Any], folder: Path) -> Check:
    weight = float(spec.pop("weight", 1.0))
    if spec.get("name") != MODEL:
        return Check(Scored(spec), weight)
    path = folder / str(spec.get("folder", FOLDER))
    if not (path / "config.json").exists():
        raise InvalidInput("The reward model that this run practises against is not there. Train one first.")
    model = AutoModelForSequenceClassification.from_pretrained(path, num_labels=1).eval()
    return Check(model, weight, AutoTokenizer.from_pretrained(path))


def _text(answer: Any) -> str:
    return str(answer if isinstance(answer, str) else answer[-1].get("content") or "")

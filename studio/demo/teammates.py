"""The unattended demo's two teammates: they answer through Argilla's API, from the generator's truth.

Nobody pretends they are people: the job's result and the demo's output say where the answers come from.
"""

from __future__ import annotations

import random
from typing import Any

from storage.tables import Example, LabelItem
from studio.demo.tickets import as_json, truth
from studio.label.resolve import same_answer
from studio.label.templates import CORRECT, WRONG


def answers_of(person: str, items: list[tuple[LabelItem, Example]]) -> dict[str, dict[str, Any]]:
    """What this teammate answers, item by item: the verdict, the right output, a rating to their taste."""
    return {item.id: _answer(person, item, example) for item, example in items}


def _answer(person: str, item: LabelItem, example: Example) -> dict[str, Any]:
    right = as_json(truth(_ticket(example)))
    correct = same_answer(item.shown_output) == same_answer(right)
    taste = random.Random(f"{person} {example.prompt_hash}")
    rating = max(1, min(5, (5 if correct else 2) + taste.choice([0, 0, 0, -1, 1])))
    return {"verdict": CORRECT if correct else WRONG, "output": right, "rating": rating}


def _ticket(example: Example) -> str:
    return next(str(turn.get("content") or "") for turn in reversed(example.messages) if turn.get("role") == "user")

"""Gold questions: examples whose right answer is known, mixed in unseen, to measure how people answer."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.tables import Example
from studio.errors import InvalidInput
from studio.label.resolve import same_answer

CORRECT, WRONG = "correct", "wrong"


@dataclass(frozen=True)
class GoldItem:
    """An example shown with an output about which the answers are known."""

    example_id: str
    shown: str
    known: dict[str, Any]


def gold_items(
    examples: Sequence[Example], template: str, options: Mapping[str, Any], wanted: int, seed: int
) -> list[GoldItem]:
    """Up to `wanted` gold items of verified examples; where people corrected the model, half show its wrong answer."""
    if template not in KNOWN:
        raise InvalidInput(
            "Gold questions need a right answer that can be compared: use them with “Check and correct” or “Pick a "
            "label”, or set them to 0 percent."
        )
    made = [item for item in (KNOWN[template](each, options) for each in examples) if item]
    random.Random(seed).shuffle(made)
    wrong = [item for item in made if item.known.get("verdict") == WRONG]
    right = [item for item in made if item.known.get("verdict") != WRONG]
    few = min(len(wrong), max(wanted // 2, wanted - len(right)))
    return (wrong[:few] + right)[:wanted]


def how_many(size: int, percent: int) -> int:
    """Gold items to add so that they are this share of the whole task."""
    return math.ceil(size * percent / (100 - percent)) if percent else 0


def mixed(others: int, gold: int, seed: int) -> list[bool]:
    """Which places of the task are gold: spread by chance over the whole of it."""
    places = set(random.Random(seed).sample(range(others + gold), gold))
    return [place in places for place in range(others + gold)]


def is_right(known: Mapping[str, Any], answers: Mapping[str, Any]) -> bool | None:
    """Whether every known answer was given; None when a known question was not answered."""
    if any(answers.get(question) is None for question in known):
        return None
    return all(_same(value, answers[question]) for question, value in known.items())


def _verdict(example: Example, _options: Mapping[str, Any]) -> GoldItem | None:
    """The model's own answer, which people confirmed or corrected; else the verified output."""
    shown = example.original_output if example.original_output.strip() else example.output
    right = same_answer(shown) == same_answer(example.output)
    return GoldItem(example.id, shown, {"verdict": CORRECT if right else WRONG})


def _label(example: Example, options: Mapping[str, Any]) -> GoldItem | None:
    """The verified output, or its field, where it is one of the labels."""
    value = _value(example.output, str(options.get("field") or ""), bool(options.get("multi")))
    found = [_text(each) for each in (value if isinstance(value, list) else [value])]
    if not found or not set(found) <= set(options.get("labels", ())):
        return None
    return GoldItem(example.id, example.output, {"label": found if options.get("multi") else found[0]})


def _value(output: str, field: str, several: bool) -> Any:
    """The field of a JSON answer; without one the whole answer, which is a JSON list where there are several labels."""
    if not field and not several:
        return output.strip()
    try:
        found = json.loads(output)
    except (ValueError, RecursionError):
        return None if field else output.strip()
    if not field:
        return found
    return found.get(field) if isinstance(found, dict) else None


def _text(value: Any) -> str:
    """A label as people pick it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _same(known: Any, given: Any) -> bool:
    if isinstance(known, list):
        return isinstance(given, list) and sorted(map(str, known)) == sorted(map(str, given))
    return same_answer(str(known)) == same_answer(str(given))


KNOWN: dict[str, Callable[[Example, Mapping[str, Any]], GoldItem | None]] = {"verdict": _verdict, "pick_label": _label}
"""How each template's known answers are told from a verified example; a new one is one function."""

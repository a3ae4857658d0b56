"""Different answers to one prompt that people can compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlmodel import Session

from storage.repositories.preferences import PreferenceRepository
from storage.repositories.traffic import ShadowPairRepository
from storage.tables import Example
from studio.label.resolve import same_answer

NAMES = "abc"
UNKNOWN_MODEL = "model"


def candidates_for(session: Session, example: Example, most: int = 3) -> list[dict[str, Any]]:
    """Up to `most` answers to the example's prompt that differ: `name` (a, b, c), `output`, and whose it is (`model`).

    First the example's answer, then what the model had answered at first, what shadows answered to the same call, what
    models answered in evaluations, and what was answered when the same prompt came again. Fewer than two means that
    there is nothing to compare.
    """
    return candidates_of(session, [example], most)[example.id]


def candidates_of(session: Session, examples: Sequence[Example], most: int = 3) -> dict[str, list[dict[str, Any]]]:
    """`candidates_for` many examples of one dataset, with a few queries for all of them."""
    if not examples:
        return {}
    found = PreferenceRepository(session)
    evaluated, again = found.evaluated(examples), found.same_prompts(examples[0].dataset_id, examples)
    twins = [twin for rows in again.values() for twin in rows]
    models = found.answered_by([*examples, *twins])
    shadows: dict[str, list[tuple[str, str]]] = {}
    for key, model, output in ShadowPairRepository(session).by_examples([each.id for each in examples]):
        shadows.setdefault(key, []).append((model, output))
    return {
        each.id: _different(
            [
                *_own(each, models),
                *shadows.get(each.id, []),
                *evaluated.get(each.id, []),
                *(own for twin in again.get(each.prompt_hash, []) if twin.id != each.id for own in _own(twin, models)),
            ],
            most,
        )
        for each in examples
    }


def author(example: Example, output: str, models: dict[str, str]) -> str:
    """Whose output it is: the model's that answered at first, or how else the example came by it."""
    answered = example.output_source == "model" or same_answer(output) == same_answer(example.original_output)
    return models.get(example.id, UNKNOWN_MODEL) if answered else example.output_source


def _own(example: Example, models: dict[str, str]) -> Iterable[tuple[str, str]]:
    return [(author(example, output, models), output) for output in (example.output, example.original_output)]


def _different(answers: Iterable[tuple[str, str]], most: int) -> list[dict[str, Any]]:
    kept: dict[str, tuple[str, str]] = {}
    for model, output in answers:
        if output.strip():
            kept.setdefault(same_answer(output), (model, output))
    chosen = list(kept.values())[: min(most, len(NAMES))]
    return [
        {"name": name, "output": output, "model": model} for name, (model, output) in zip(NAMES, chosen, strict=False)
    ]

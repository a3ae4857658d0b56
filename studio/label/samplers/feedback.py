"""What users liked least."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence

from storage.repositories.samples import Said, SampleRepository
from studio.errors import InvalidInput
from studio.label.samplers.pool import Chosen, Pool

THUMBS, SCORE, CORRECTION = "thumbs", "score", "correction"


def lowest_first(pool: Pool) -> list[Chosen]:
    """Lowest mean of thumbs (0 or 1), corrections (0) and scores (scaled to 0..1 by name); none without feedback."""
    said = SampleRepository(pool.session).feedback(pool.dataset_id)
    worth = _worth(said)
    words: dict[str, list[str]] = defaultdict(list)
    values: dict[str, list[float]] = defaultdict(list)
    for each, value in zip(said, worth, strict=True):
        values[each.example_id].append(value)
        words[each.example_id].append(_words(each))
    ordered = [each for each in pool.shuffled() if each.id in values]
    if not ordered:
        raise InvalidInput(
            "No user said anything about the calls behind these examples. Send thumbs, scores or corrections with the "
            "feedback API (see Capture), or choose another sample."
        )
    ordered.sort(key=lambda each: (statistics.fmean(values[each.id]), -len(values[each.id])))
    return [Chosen(each.id, _reason(words[each.id])) for each in ordered]


def _worth(said: Sequence[Said]) -> list[float]:
    """Each piece of feedback between 0 and 1; a score's scale is the range seen under its name."""
    scores: dict[str, list[float]] = defaultdict(list)
    for each in said:
        if each.kind == SCORE and each.value is not None:
            scores[each.name].append(each.value)
    scales = {name: (min(found), max(found)) for name, found in scores.items()}
    return [_scaled(each, scales) for each in said]


def _scaled(each: Said, scales: dict[str, tuple[float, float]]) -> float:
    if each.kind == CORRECTION or each.value is None:
        return 0.0
    if each.kind == THUMBS:
        return each.value
    low, high = scales[each.name]
    return (each.value - low) / (high - low) if high > low else 0.5


def _words(each: Said) -> str:
    if each.kind == CORRECTION:
        return "corrected by a user"
    if each.kind == THUMBS:
        return "thumbs up" if each.value else "thumbs down"
    return f"{each.name or 'score'} {each.value:g}"


def _reason(words: Sequence[str]) -> str:
    counts = {word: list(words).count(word) for word in dict.fromkeys(words)}
    return ", ".join(word if count == 1 else f"{word} ({count} times)" for word, count in counts.items())

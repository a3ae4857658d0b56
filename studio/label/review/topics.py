"""Topics nobody looked at yet: examples as far as possible, by their words, from all that people verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import log
from typing import Any

import numpy as np
from sqlmodel import Session

from storage.repositories.reviews import AgendaRepository
from studio.capture.text import prompt_text
from studio.label.review.worth import TOPIC, Find
from studio.label.words import Floats, spread, tf_idf, words_of

WIDTH = 1024
LOOKED_AT = 1000
"""Newest examples compared; more would not change who is far from whom."""
LENGTH = 2000


def new_topics(session: Session, dataset_id: str, most: int) -> Iterator[Find]:
    """Up to `most` representatives, the least like anything before first (farthest-first traversal on TF-IDF)."""
    agenda = AgendaRepository(session)
    fresh = agenda.unseen(dataset_id, False, LOOKED_AT)
    known = agenda.unseen(dataset_id, True, LOOKED_AT)
    if not fresh:
        return
    texts = [prompt_text(each.messages)[:LENGTH] for each in [*fresh, *known]]
    counts = [Counter(words_of(text)) for text in texts]
    commonness = spread(counts)
    weights = {word: log((1 + len(texts)) / n) for word, n in commonness.items()}
    table = tf_idf(counts, weights, WIDTH)
    for place, likeness in farthest_first(table[: len(fresh)], table[len(fresh) :], most):
        words = _telling(counts[place], commonness)
        reason = "unlike anything people looked at so far" + (f" ({', '.join(words)})" if words else "")
        yield Find(fresh[place], TOPIC + 0.9 * (1 - likeness), reason)


def farthest_first(fresh: Floats, known: Floats, most: int) -> Iterator[tuple[int, float]]:
    """(row, likeness to the nearest one known or already chosen) of the row farthest from those, again and again."""
    nearest: Any = (fresh @ known.T).max(axis=1) if len(known) else np.zeros(len(fresh), dtype=np.float32)
    if not len(known) and len(fresh):  # nothing to be far from: begin with the most typical one
        nearest = -(fresh @ fresh.mean(axis=0))
    for step in range(min(most, len(fresh))):
        place = int(nearest.argmin())
        if nearest[place] > 0.95:
            return
        yield place, float(max(0.0, nearest[place]))
        likeness = fresh @ fresh[place]
        nearest = likeness if not len(known) and step == 0 else np.maximum(nearest, likeness)
        nearest[place] = 2.0


def _telling(words: Iterable[str], commonness: Mapping[str, int]) -> list[str]:
    """The three rarest words of the text that are not its alone."""
    shared = (word for word in words if commonness[word] > 1 and not word.isdigit())
    return sorted(shared, key=lambda word: (commonness[word], word))[:3]

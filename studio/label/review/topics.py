"""Topics nobody looked at yet: examples as far as possible, by their words, from all that people verified."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlmodel import Session

from storage.repositories.reviews import AgendaRepository
from studio.capture.text import prompt_text
from studio.label.review.worth import TOPIC, Find

Floats = NDArray[np.float32]
WORDS = re.compile(r"\w{3,}")
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
    table, commonness = tf_idf(texts)
    for place, likeness in farthest_first(table[: len(fresh)], table[len(fresh) :], most):
        words = _telling(texts[place], commonness)
        reason = "unlike anything people looked at so far" + (f" ({', '.join(words)})" if words else "")
        yield Find(fresh[place], TOPIC + 0.9 * (1 - likeness), reason)


def tf_idf(texts: Sequence[str]) -> tuple[Floats, dict[str, int]]:
    """One unit row per text (words hashed into columns), and in how many texts each word is."""
    counts = [Counter(WORDS.findall(text.lower())) for text in texts]
    commonness: Counter[str] = Counter(word for each in counts for word in each)
    columns = {word: zlib.crc32(word.encode("utf-8", "replace")) % WIDTH for word in commonness}
    cells = [
        (row, columns[word], count, commonness[word]) for row, each in enumerate(counts) for word, count in each.items()
    ]
    places = np.array(cells, dtype=np.int64).reshape(-1, 4)
    weights = (1 + np.log(places[:, 2])) * np.log((1 + len(texts)) / places[:, 3])
    flat = np.bincount(places[:, 0] * WIDTH + places[:, 1], weights, minlength=len(texts) * WIDTH)
    table = flat.reshape(len(texts), WIDTH)
    length = np.linalg.norm(table, axis=1, keepdims=True)
    return (table / np.where(length > 0, length, 1)).astype(np.float32), dict(commonness)


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


def _telling(text: str, commonness: dict[str, int]) -> list[str]:
    """The three rarest words of the text that are not its alone."""
    words = {word for word in WORDS.findall(text.lower()) if commonness.get(word, 0) > 1 and not word.isdigit()}
    return sorted(words, key=lambda word: (commonness[word], word))[:3]

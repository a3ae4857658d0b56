"""Texts as rows of numbers by the words they use: TF-IDF, words hashed into columns."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
WORD = re.compile(r"\w{3,}")


def words_of(text: str) -> list[str]:
    """The words of a text, as they are compared."""
    return WORD.findall(text.lower())


def spread(counts: Iterable[Iterable[str]]) -> Counter[str]:
    """In how many texts each word is."""
    return Counter(word for each in counts for word in each)


def tf_idf(counts: Sequence[Mapping[str, int]], weights: Mapping[str, float], width: int) -> Floats:
    """A unit row per text: each word's count, damped, times its weight. Words without a weight do not count."""
    column = {word: zlib.crc32(word.encode("utf-8", "replace")) % width for word in weights}
    table = np.zeros((len(counts), width), dtype=np.float32)
    for row, each in enumerate(counts):
        known = [(column[word], (1 + log(n)) * weights[word]) for word, n in each.items() if word in column]
        if known:
            np.add.at(table[row], [place for place, _ in known], [value for _, value in known])
    length = np.linalg.norm(table, axis=1, keepdims=True)
    return np.asarray(table / np.where(length > 0, length, 1), dtype=np.float32)

"""One typical example of each group of similar prompts: TF-IDF, then k-means (k-means++ seeding).

Arthur, D., Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding. SODA.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from storage.repositories.samples import SampleRepository
from studio.errors import InvalidInput
from studio.label.samplers.pool import Chosen, Pool
from studio.label.words import Floats, spread, tf_idf, words_of

Whole = NDArray[np.int64]
WIDTH = 512
"""Columns that words are hashed into."""
MOST_GROUPS = 100
LEARNED_FROM = 4000
"""Prompts that the groups are found in; all others join the nearest group."""
ROUNDS = 12
SHOWN_WORDS, SHOWN_OF = 3, 30


def representatives(pool: Pool) -> list[Chosen]:
    """The most typical of each group first, then the second of each, and so on; large groups come first."""
    ids = sorted(each.id for each in pool.candidates)
    texts = SampleRepository(pool.session).prompts(pool.dataset_id, set(ids))
    counts = [Counter(words_of(texts.get(key, ""))) for key in ids]
    weights = word_weights(counts)
    if len(ids) < 2 or not weights:
        raise InvalidInput("The prompts are too few or too alike to be grouped. Choose random examples instead.")
    table = tf_idf(counts, weights, WIDTH)
    groups = _typical(table, *k_means(table, min(pool.size, MOST_GROUPS, len(ids)), pool.seed))
    reasons = [_reason([counts[row] for row in rows[:SHOWN_OF]], weights, len(rows)) for rows in groups]
    most = max(map(len, groups))
    return [
        Chosen(ids[rows[place]], reason)
        for place in range(min(most, pool.size))
        for rows, reason in zip(groups, reasons, strict=True)
        if place < len(rows)
    ]


def word_weights(counts: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Inverse document frequency of the words that several texts hold, but not most of them."""
    most = max(len(counts) / 2, 2)
    return {
        word: log(len(counts) / n) + 1 for word, n in spread(counts).items() if 1 < n <= most and not word.isdigit()
    }


def k_means(table: Floats, groups: int, seed: int) -> tuple[Floats, Whole]:
    """Centres, and each row's group; Euclidean on unit rows, so near means using the same words."""
    chance = np.random.default_rng(seed)
    sample = table
    if len(table) > LEARNED_FROM:
        sample = table[np.sort(chance.choice(len(table), LEARNED_FROM, replace=False))]
    centres = _seeds(sample, groups, chance)
    member = _nearest(sample, centres)
    for _round in range(ROUNDS):
        centres = _centres(sample, member, centres)
        before, member = member, _nearest(sample, centres)
        if np.array_equal(before, member):
            break
    return centres, _nearest(table, centres)


def _seeds(table: Floats, groups: int, chance: np.random.Generator) -> Floats:
    """k-means++: each next seed by chance in proportion to its squared distance from those there are."""
    lengths = (table * table).sum(axis=1).astype(np.float64)
    rows = [int(chance.integers(len(table)))]
    far = _squared(table, lengths, rows[0])
    while len(rows) < groups and far.sum() > 1e-6:
        rows.append(int(chance.choice(len(table), p=far / far.sum())))
        far = np.minimum(far, _squared(table, lengths, rows[-1]))
    return table[rows].copy()


def _squared(table: Floats, lengths: NDArray[np.float64], row: int) -> NDArray[np.float64]:
    return np.asarray(np.maximum(lengths + lengths[row] - 2 * (table @ table[row]), 0), dtype=np.float64)


def _nearest(table: Floats, centres: Floats) -> Whole:
    return np.asarray(((centres * centres).sum(axis=1) - 2 * (table @ centres.T)).argmin(axis=1), dtype=np.int64)


def _centres(table: Floats, member: Whole, before: Floats) -> Floats:
    """The mean of each group; an empty group stays where it was."""
    order = np.argsort(member, kind="stable")
    present, starts = np.unique(member[order], return_index=True)
    centres = before.copy()
    sizes = np.diff([*starts, len(member)])
    centres[present] = np.add.reduceat(table[order], starts, axis=0) / sizes[:, None]
    return centres


def _typical(table: Floats, centres: Floats, member: Whole) -> list[list[int]]:
    """Every group's rows, nearest to its centre first; large groups first."""
    away = ((table - centres[member]) ** 2).sum(axis=1)
    order = np.lexsort((away, member))
    _present, starts = np.unique(member[order], return_index=True)
    groups = [part.tolist() for part in np.split(order, starts[1:])]
    return sorted(groups, key=lambda rows: (-len(rows), rows[0]))


def _reason(nearest: Sequence[Mapping[str, int]], weights: Mapping[str, float], size: int) -> str:
    """How many are alike, and the words that the most typical ones share."""
    worth: dict[str, float] = {}
    for word in (word for each in nearest for word in each):
        worth[word] = worth.get(word, 0.0) + weights.get(word, 0.0)
    words = [word for word, value in sorted(worth.items(), key=lambda pair: (-pair[1], pair[0])) if value][:SHOWN_WORDS]
    alike = f"typical of {size:,} similar prompts" if size > 1 else "unlike the others"
    return f"{alike}: {', '.join(words)}" if words else alike

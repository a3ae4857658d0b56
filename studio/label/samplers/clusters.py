"""One typical example of each group of similar prompts: TF-IDF, then k-means (k-means++ seeding).

Arthur, D., Vassilvitskii, S. (2007). k-means++: the advantages of careful seeding. SODA.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from storage.repositories.samples import SampleRepository
from studio.errors import InvalidInput
from studio.label.samplers.pool import Chosen, Pool

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]
WORD = re.compile(r"\w{3,}")
WORDS = 512
"""Words compared: those in most prompts, but not in more than half of them."""
MOST_GROUPS = 200
ROUNDS = 12
FEWEST = 2
SHOWN_WORDS = 3


def representatives(pool: Pool) -> list[Chosen]:
    """The most typical of each group first, then the second of each, and so on; large groups come first."""
    ids = sorted(each.id for each in pool.candidates)
    texts = SampleRepository(pool.session).prompts(pool.dataset_id, set(ids))
    table, words = tf_idf([texts.get(key, "") for key in ids])
    if len(ids) < FEWEST or not len(words):
        raise InvalidInput("The prompts are too few or too alike to be grouped. Choose random examples instead.")
    groups = min(pool.size, MOST_GROUPS, len(ids))
    centres, member = k_means(table, groups, pool.seed)
    chosen = _typical(table, centres, member)[: pool.size]
    reasons = {group: _reason(centres[group], words, size) for _row, group, size in chosen}
    return [Chosen(ids[row], reasons[group]) for row, group, _size in chosen]


def tf_idf(texts: Sequence[str]) -> tuple[Floats, list[str]]:
    """A unit row per text over the words that many, but not most, of them hold."""
    counts = [Counter(WORD.findall(text.lower())) for text in texts]
    spread = Counter(word for each in counts for word in each)
    useful = [word for word, n in spread.items() if 1 < n <= max(len(texts) / 2, 2) and not word.isdigit()]
    words = sorted(useful, key=lambda word: (-spread[word], word))[:WORDS]
    column = {word: at for at, word in enumerate(words)}
    table = np.zeros((len(texts), len(words)), dtype=np.float32)
    for row, each in enumerate(counts):
        for word, n in each.items():
            if word in column:
                table[row, column[word]] = 1 + np.log(n)
    table *= np.log(len(texts) / np.array([spread[word] for word in words] or [1], dtype=np.float32))[: len(words)]
    length = np.linalg.norm(table, axis=1, keepdims=True)
    return np.asarray(table / np.where(length > 0, length, 1), dtype=np.float32), words


def k_means(table: Floats, groups: int, seed: int) -> tuple[Floats, Whole]:
    """Centres, and each row's group; Euclidean on unit rows, so near means using the same words."""
    centres = _seeds(table, groups, np.random.default_rng(seed))
    member = _nearest(table, centres)
    for _round in range(ROUNDS):
        centres = _centres(table, member, centres)
        before, member = member, _nearest(table, centres)
        if np.array_equal(before, member):
            break
    return centres, member


def _seeds(table: Floats, groups: int, chance: np.random.Generator) -> Floats:
    """k-means++: each next seed by chance in proportion to its squared distance from those there are."""
    rows = [int(chance.integers(len(table)))]
    far = _squared(table, table[rows[0]])
    while len(rows) < groups and far.sum() > 0:
        rows.append(int(chance.choice(len(table), p=far / far.sum())))
        far = np.minimum(far, _squared(table, table[rows[-1]]))
    return table[rows].copy()


def _squared(table: Floats, point: Floats) -> NDArray[np.float64]:
    lengths = (table * table).sum(axis=1) + float(point @ point)
    return np.asarray(np.maximum(lengths - 2 * (table @ point), 0), dtype=np.float64)


def _nearest(table: Floats, centres: Floats) -> Whole:
    return np.asarray(((centres * centres).sum(axis=1) - 2 * (table @ centres.T)).argmin(axis=1), dtype=np.int64)


def _centres(table: Floats, member: Whole, before: Floats) -> Floats:
    order = np.argsort(member, kind="stable")
    present, starts = np.unique(member[order], return_index=True)
    centres = before.copy()
    sizes = np.diff([*starts, len(member)])
    centres[present] = np.add.reduceat(table[order], starts, axis=0) / sizes[:, None]
    return centres


def _typical(table: Floats, centres: Floats, member: Whole) -> list[tuple[int, int, int]]:
    """(row, group, size of the group): every group's nearest to the centre, then every group's second, ..."""
    sizes = Counter(member.tolist())
    away = ((table - centres[member]) ** 2).sum(axis=1)
    ranked: list[tuple[int, int, int, int]] = []
    for group, size in sizes.items():
        rows = np.flatnonzero(member == group)
        for place, row in enumerate(rows[np.argsort(away[rows], kind="stable")]):
            ranked.append((place, -size, int(row), group))
    return [(row, group, -size) for _place, size, row, group in sorted(ranked)]


def _reason(centre: Floats, words: Sequence[str], size: int) -> str:
    top = [words[at] for at in np.argsort(-centre)[:SHOWN_WORDS] if centre[at] > 0]
    alike = f"typical of {size:,} similar prompts" if size > 1 else "unlike the others"
    return f"{alike}: {', '.join(top)}" if top else alike

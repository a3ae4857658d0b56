"""MinHash signatures: how alike two prompts are, told from 16 bytes each.

128 one-bit MinHashes of the text's word 3-shingles (Li and König, "b-Bit Minwise Hashing", WWW 2010). Two texts with
Jaccard similarity J agree in a bit with probability (1 + J) / 2, so J is about 2 · agreeing bits / 128 - 1, with a
standard deviation of at most 0.09.
"""

from __future__ import annotations

import re
from zlib import crc32

import numpy as np

BITS = 128
SHINGLE = 3
MOST_SHINGLES = 512
WORD = re.compile(r"\w+")
SEED = 20_261_123

_random = np.random.default_rng(SEED)
_FACTORS = _random.integers(1, 2**64, size=(BITS, 1), dtype=np.uint64) | np.uint64(1)
_OFFSETS = _random.integers(0, 2**64, size=(BITS, 1), dtype=np.uint64)


def shingles(text: str) -> set[str]:
    """Runs of three words in lower case; the words themselves where there are fewer than three."""
    words = WORD.findall(text.lower())
    if len(words) < SHINGLE:
        return set(words)
    return {" ".join(words[at : at + SHINGLE]) for at in range(min(len(words) - SHINGLE + 1, MOST_SHINGLES))}


def signature(text: str) -> bytes:
    """16 bytes; all zero for a text without words."""
    found = shingles(text)
    if not found:
        return bytes(BITS // 8)
    hashes = np.fromiter(
        (crc32(shingle.encode("utf-8", "replace")) for shingle in found), dtype=np.uint64, count=len(found)
    )
    smallest = (_FACTORS * hashes + _OFFSETS).min(axis=1)
    return np.packbits((smallest >> np.uint64(40)).astype(np.uint8) & 1).tobytes()


def likeness(one: bytes, other: bytes) -> float:
    """The estimated Jaccard similarity of two signatures' texts, 0 to 1."""
    differing = (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()
    return max(0.0, 1 - 2 * differing / BITS)


def jaccard(one: str, other: str) -> float:
    """The exact Jaccard similarity of two texts' shingles, 0 to 1."""
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b) if a or b else 1.0

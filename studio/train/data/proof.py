"""Which prompts prove later that a server answers with the tuned weights: diverse, outside the training rows, few."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from studio.curate.snapshot import Row
from studio.train.data.messages import Messages, plain
from studio.train.data.source import Line

GOLDEN_PROMPTS, AT_LEAST = 50, 3
LETTERS_MOST = 120_000
"""All prompts together: they are kept with the model, not as a file beside it."""


def proof_prompts(golden: list[Row], held_out: list[Line]) -> list[Messages]:
    """Golden prompts, then held-out ones, each answer that is wanted once before any comes again."""
    asked = in_turn((str(row.output), plain(row.messages)) for row in golden)
    plain_ones = (line for line in held_out if not line.get("tools"))
    more = in_turn((str(line.get("completion", line.get("chosen", ""))), line["prompt"]) for line in plain_ones)
    return list(_few([*asked, *more]))


def in_turn(rows: Iterable[tuple[str, Messages]]) -> Iterator[Messages]:
    """One prompt of every wanted answer, then the second of each, and so on."""
    groups: dict[str, list[Messages]] = {}
    for wanted, messages in rows:
        groups.setdefault(wanted, []).append(messages)
    yield from (messages for layer in zip_longest(*groups.values()) for messages in layer if messages is not None)


def _few(prompts: list[Messages]) -> Iterator[Messages]:
    """The first that differ and are not too long together."""
    letters, seen = 0, set[str]()
    for messages in prompts:
        text = json.dumps(messages)
        if text in seen:
            continue
        if len(seen) >= GOLDEN_PROMPTS or (letters + len(text) > LETTERS_MOST and len(seen) >= AT_LEAST):
            return
        seen.add(text)
        letters += len(text)
        yield messages

"""What training files are made from: a version's rows and pairs, and what may be learned from them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.curate.outputs import canonical
from studio.curate.pairs import Pair
from studio.curate.snapshot import Row, VersionData
from studio.train.data.messages import Messages, uses_tools

Line = dict[str, Any]
LEAKS, TOOLS, EMPTY = "repeats a golden prompt", "calls tools", "is empty"


@dataclass(frozen=True)
class Source:
    """A version, and what the base can read of it."""

    version: VersionData
    leaked: Collection[str] = frozenset()
    """Ids of training rows that repeat a golden prompt."""
    tools: bool = False
    """The base's chat template shows the model tools and their calls."""
    pairs: Callable[[], Iterable[Pair]] = tuple
    """The training pairs, read when a method asks for them."""
    answered: bool = True
    """Only rows with an answer count; a teacher that answers again needs none."""
    every_turn: bool = False
    """Learn each assistant turn of a conversation, not only the last."""

    @property
    def prompt_hashes(self) -> Mapping[str, str]:
        """Prompt hash by example id."""
        return {row.example_id: row.prompt_hash for row in (*self.version.train, *self.version.disliked)}


@dataclass(frozen=True)
class Candidate:
    """One line of a training file, or the reason why there is none."""

    prompt_hash: str
    line: Line | None
    reason: str = ""


@dataclass
class Sorted:
    """Lines by side of the hold-out, and what was left out."""

    train: list[Line] = field(default_factory=list)
    held_out: list[Line] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def why_left_out(row: Row, leaked: Collection[str], tools: bool = False, *, answered: bool = True) -> str | None:
    """The reason a row cannot be trained on, or None. `tools`: the base can read them."""
    if row.example_id in leaked:
        return LEAKS
    if not tools and (row.tools or row.answer.get("tool_calls") or uses_tools(row.messages)):
        return TOOLS
    return None if row.messages and (row.output.strip() or not answered) else EMPTY


def why_not_asked(example_id: str, messages: Messages, tools: list[Line], source: Source) -> str | None:
    """The reason a prompt cannot be used whatever was answered, or None."""
    if example_id in source.leaked:
        return LEAKS
    if not source.tools and (tools or uses_tools(messages)):
        return TOOLS
    return None if messages else EMPTY


def sort_out(candidates: Iterable[Candidate], seed: int, share: float, most: int) -> Sorted:
    """Hold some prompts out, chosen by their hash: a stable choice that keeps equal prompts on one side."""
    listed = list(candidates)
    held_out = _held_out([each.prompt_hash for each in listed if each.line is not None], seed, share, most)
    found = Sorted()
    for each in listed:
        if each.line is None:
            found.left_out[each.reason] += 1
        else:
            (found.held_out if each.prompt_hash in held_out else found.train).append(each.line)
    return found


def shuffled(key: str, seed: int) -> str:
    """A sort key that looks random and is always the same."""
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()


def hash_of(messages: Messages) -> str:
    """A prompt's hash where its row is not known."""
    return hashlib.sha256(canonical(messages).encode()).hexdigest()


def _held_out(hashes: Iterable[str], seed: int, share: float, most: int) -> set[str]:
    prompts = sorted(set(hashes), key=lambda each: shuffled(each, seed))
    return set(prompts[: min(int(len(prompts) * share), most)])

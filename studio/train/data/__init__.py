"""A frozen version as training files: some lines held out to watch the run, golden rows never learned from.

One file per kind of data; `gather` is what a job and a plan call.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from storage.artifacts import Artifacts
from studio.curate.leakage import leaks
from studio.curate.pairs import Pair, read_pairs
from studio.curate.snapshot import Row, VersionData, read_version
from studio.train import recipe
from studio.train.data import judged, pairs, prompts
from studio.train.data import rows as answered
from studio.train.data.messages import Messages, plain, speaks_tools
from studio.train.data.proof import proof_prompts
from studio.train.data.source import Candidate, Line, Source, shuffled, sort_out, why_left_out
from studio.train.methods import method as method_named

__all__ = ["Line", "Messages", "TrainingData", "gather", "of_version", "plain", "speaks_tools", "split", "why_left_out"]
HELD_OUT_SHARE, HELD_OUT_MOST = 0.1, 200
GOLDEN_WATCHED, KEPT_MOST = 64, 64
KINDS: dict[str, Callable[[Source], Iterator[Candidate]]] = {
    "rows": answered.candidates,
    "pairs": pairs.candidates,
    "judged": judged.candidates,
    "prompts": prompts.candidates,
}


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from, what it is watched on, and what was left out and why."""

    train: list[Line]
    held_out: list[Line]
    proof: list[Messages]
    """At most fifty prompts outside the training rows, to prove later that a server answers with the tuned weights."""
    left_out: Counter[str] = field(default_factory=Counter)
    golden: list[Line] = field(default_factory=list)
    """Golden rows to be watched beside the run; nothing is chosen by them."""
    keep: list[Line] = field(default_factory=list)
    """What the model must not forget: rows of another task."""

    def write(self, folder: Path) -> None:
        """Write train.jsonl and, where there are any, eval.jsonl, golden.jsonl and keep.jsonl."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {recipe.TRAIN: self.train, recipe.EVAL: self.held_out}
        for name, lines in (files | {recipe.GOLDEN: self.golden, recipe.KEEP: self.keep}).items():
            if lines or name == recipe.TRAIN:
                _write(folder / name, lines)


def gather(
    artifacts: Artifacts,
    digest: str,
    method: str = "sft",
    *,
    seed: int = 0,
    tools: bool = False,
    every_turn: bool = False,
    keep_digest: str = "",
    rows: VersionData | None = None,
) -> TrainingData:
    """The training files of a frozen version for a method. Raises NotFound when the version's files are gone.

    `tools`: the base reads tool calls (`speaks_tools` of its template). `keep_digest`: a version not to be forgotten.
    `rows`: the version, where it was read already.
    """
    version, kept = rows or read_version(artifacts, digest), _kept(artifacts, keep_digest) if keep_digest else []
    listed = partial(read_pairs, artifacts, digest)
    return of_version(version, method, seed=seed, tools=tools, every_turn=every_turn, pairs_of=listed, keep=kept)


def of_version(
    version: VersionData,
    method: str = "sft",
    *,
    seed: int = 0,
    tools: bool = False,
    every_turn: bool = False,
    pairs_of: Callable[[], Iterable[Pair]] = tuple,
    keep: list[Line] | None = None,
) -> TrainingData:
    """`gather` for a version that was read already."""
    leaked, taught = set(leaks([*version.train, *version.disliked], version.golden)), method == "distil"
    source = Source(version, leaked, tools, pairs_of, answered=not taught, every_turn=every_turn)
    wants = "rows" if taught else method_named(method).need.what
    found = sort_out(KINDS[wants](source), seed, HELD_OUT_SHARE, HELD_OUT_MOST)
    golden = _golden(version.golden)
    proof = proof_prompts(golden, found.held_out)
    watched = [answered.line_of(row) for row in golden[:GOLDEN_WATCHED]]
    return TrainingData(found.train, found.held_out, proof, found.left_out, watched, keep or [])


def split(version: VersionData, seed: int = 0) -> TrainingData:
    """Rows for learning answers: the data of SFT."""
    return of_version(version, "sft", seed=seed)


def sides(lines: list[Line]) -> tuple[int, int] | None:
    """Wanted and unwanted answers among judged lines; None for other kinds."""
    labels = [line["label"] for line in lines if "label" in line]
    return (labels.count(True), labels.count(False)) if labels else None


def _golden(golden: list[Row]) -> list[Row]:
    """Golden rows that are answered with text; those that a person confirmed first."""
    usable = [row for row in golden if not why_left_out(row, set())]
    return sorted(usable, key=lambda row: not row.verified)


def _kept(artifacts: Artifacts, digest: str) -> list[Line]:
    """Rows of another version, golden ones first: they were not learned from either."""
    version = read_version(artifacts, digest)
    usable = [row for row in version.train if not why_left_out(row, set())]
    others = sorted(usable, key=lambda row: shuffled(row.prompt_hash, 0))
    return [answered.line_of(row) for row in [*_golden(version.golden), *others][:KEPT_MOST]]


def _write(path: Path, lines: list[Line]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

"""Preference pairs of a frozen version: two answers to one prompt of which people preferred the first.

They come from rankings, from review sessions, and from corrections (the corrected answer over what the model had
said). Pairs of golden prompts are kept apart, so that training never sees one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.artifacts import Artifacts
from storage.tables import PreferencePair
from studio.curate.outputs import assistant_message
from studio.curate.preferences import Preference, correction, settled, stated_by
from studio.curate.snapshot import ROW_GROUP, frozen_file, in_groups, read_split

FILE = "pairs.parquet"
STEP = 500
SCHEMA = pa.schema(
    [
        ("example_id", pa.string()),
        ("messages", pa.string()),
        ("tools", pa.string()),
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        ("source", pa.string()),
        ("votes", pa.int32()),
        ("against", pa.int32()),
        ("decided_by", pa.string()),
        ("split", pa.string()),
    ]
)
Stated = Callable[[Collection[str]], Mapping[str, list[PreferencePair]]]
"""What people preferred among the answers of these examples, by example."""


@dataclass(frozen=True)
class Pair:
    """One frozen preference with its prompt."""

    example_id: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    chosen: str
    rejected: str
    source: str
    votes: int = 1
    against: int = 0
    decided_by: str = ""
    split: str = "train"

    @property
    def chosen_answer(self) -> dict[str, Any]:
        """The preferred answer as an assistant message."""
        return assistant_message(self.chosen)

    @property
    def rejected_answer(self) -> dict[str, Any]:
        """The other answer as an assistant message."""
        return assistant_message(self.rejected)


def write_pairs(folder: Path, stated: Stated) -> dict[str, Counter[str]]:
    """Write the pairs of the rows frozen in `folder`, golden ones first; how many by source, by split."""
    counts: dict[str, Counter[str]] = {"golden": Counter(), "train": Counter()}
    with pq.ParquetWriter(folder / FILE, SCHEMA, compression="zstd") as writer:
        for split, count in counts.items():
            for group in in_groups(_pairs_of(folder / f"{split}.parquet", stated)):
                count.update(each["source"] for each in group)
                writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
    return counts


def read_pairs(artifacts: Artifacts, digest: str, split: str = "train") -> Iterator[Pair]:
    """The pairs of one split, streamed; a version of format 1 has those that its corrections make."""
    try:
        stream = frozen_file(artifacts, digest, FILE)
    except KeyError:
        yield from _from_corrections(artifacts, digest, split)
        return
    with stream:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=ROW_GROUP):
            chosen = batch.filter(pc.equal(batch["split"], split))
            yield from (_pair(values) for values in chosen.to_pylist())


def _from_corrections(artifacts: Artifacts, digest: str, split: str) -> Iterator[Pair]:
    for row in read_split(artifacts, digest, split):
        if found := row.correction:
            yield Pair(row.example_id, row.messages, row.tools, **asdict(found), split=split)


def _pairs_of(path: Path, stated: Stated) -> Iterator[dict[str, Any]]:
    """The pairs of one split's rows; prompts stay the JSON text they are."""
    for batch in pq.ParquetFile(path).iter_batches(batch_size=STEP):
        said = stated(batch["example_id"].to_pylist())
        changed = pc.not_equal(batch["output"], batch["original_output"])
        ranked = pc.is_in(batch["example_id"], pa.array(list(said), pa.string()))
        for row in batch.filter(pc.or_(changed, ranked)).to_pylist():
            shared = {name: row[name] for name in ("example_id", "messages", "tools", "split")}
            yield from ({**shared, **asdict(each)} for each in _preferences(row, said.get(row["example_id"], [])))


def _preferences(row: dict[str, Any], said: list[PreferencePair]) -> list[Preference]:
    facts = (row["output"], row["original_output"], row["output_source"])
    own = correction(*facts, verified=row["verified"], decided_by=row["decided_by"])
    ordered = sorted(map(stated_by, said), key=astuple)  # by content: applying a task again makes its rows anew
    return settled([*ordered, *([own] if own else [])])


def _pair(values: dict[str, Any]) -> Pair:
    return Pair(**{**values, "messages": json.loads(values["messages"]), "tools": json.loads(values["tools"])})

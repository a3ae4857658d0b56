"""Reading and writing a frozen version: train.parquet and golden.parquet in a content-addressed artifact.

Format 2 adds who decided each output (`decided_by`, `decided_how`, `rated`) and pairs.parquet; format 3 adds
disliked.parquet: training examples left out because users rated them down, which teach nobody to answer but teach KTO
what not to say. Earlier formats are still read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from storage.artifacts import Artifacts
from storage.tables import Example
from studio.curate.decisions import Decided
from studio.curate.outputs import assistant_message
from studio.curate.preferences import Preference, correction
from studio.errors import NotFound

T = TypeVar("T")
FORMAT = 3
ROW_GROUP = 2000
SPLITS = ("train", "golden")
DISLIKED = "disliked"
OWN = (
    "messages",
    "tools",
    "output",
    "split",
    "verified",
    "output_source",
    "prompt_hash",
    "original_output",
    "rating",
)
"""What a row takes from its example under the same name."""
NOBODY = Decided()
PLAIN = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
SCHEMA = pa.schema(
    [
        ("example_id", pa.string()),
        ("messages", pa.string()),
        ("tools", pa.string()),
        ("output", pa.string()),
        ("original_output", pa.string()),
        ("output_source", pa.string()),
        ("verified", pa.bool_()),
        ("rating", pa.string()),
        ("split", pa.string()),
        ("prompt_hash", pa.string()),
        ("decided_by", pa.string()),
        ("decided_how", pa.string()),
        ("rated", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Row:
    """One frozen example."""

    example_id: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    output: str
    split: str
    verified: bool
    output_source: str
    prompt_hash: str
    original_output: str = ""
    rating: str | None = None
    """Thumbs of the application's users: up or down."""
    decided_by: str = ""
    """Usernames of the people who stand by the output, with commas; empty where nobody signed it."""
    decided_how: str = ""
    """agreement, majority, single, review, by_hand; empty where nobody decided."""
    rated: float | None = None
    """Mean rating that teammates gave the output, 0 worst to 1 best."""

    @classmethod
    def of(cls, example: Example, decided: Decided = NOBODY) -> Row:
        """The row that freezes this example and what was decided about it."""
        own = {name: getattr(example, name) for name in OWN}
        return cls(example_id=example.id, **own, decided_by=decided.by, decided_how=decided.how, rated=decided.rated)

    @property
    def correction(self) -> Preference | None:
        """People's answer over the model's, where they gave another one."""
        facts = (self.output, self.original_output, self.output_source)
        return correction(*facts, verified=self.verified, decided_by=self.decided_by)

    @property
    def answer(self) -> dict[str, Any]:
        """The output as an assistant message, tool calls included."""
        return assistant_message(self.output)

    @property
    def conversation(self) -> list[dict[str, Any]]:
        """Prompt and answer as one list of messages."""
        return [*self.messages, self.answer]


@dataclass(frozen=True)
class VersionData:
    """The rows of one version."""

    train: list[Row]
    golden: list[Row]
    disliked: list[Row] = field(default_factory=list)
    """Answers rated down that nobody corrected: not to be imitated."""

    def split(self, name: str) -> list[Row]:
        """The rows of one split."""
        return self.golden if name == "golden" else self.train

    @property
    def verified_golden(self) -> list[Row]:
        """Golden rows whose output a person confirmed or corrected."""
        return [row for row in self.golden if row.verified]


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as Parquet, a row group at a time; equal rows give equal bytes. Returns how many there were."""
    count = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for group in in_groups(rows):
            writer.write_table(pa.Table.from_pylist([_flat(row) for row in group], schema=SCHEMA))
            count += len(group)
    return count


def read_version(artifacts: Artifacts, digest: str) -> VersionData:
    """All rows of the version with this digest. Raises NotFound when the artifact is gone."""
    rows = (list(read_split(artifacts, digest, split)) for split in (*SPLITS, DISLIKED))
    return VersionData(*rows)


def read_split(artifacts: Artifacts, digest: str, split: str) -> Iterator[Row]:
    """The rows of one split, streamed; versions before format 3 have no disliked ones."""
    try:
        stream = frozen_file(artifacts, digest, f"{split}.parquet")
    except KeyError:
        if split != DISLIKED:
            raise
        return
    with stream:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=ROW_GROUP):
            yield from (_row(values) for values in batch.to_pylist())


def frozen_file(artifacts: Artifacts, digest: str, name: str) -> BinaryIO:
    """One of the version's files. Raises NotFound when the artifact is gone, KeyError when it has no such file."""
    try:
        return artifacts.open_file(digest, name)
    except FileNotFoundError as error:
        raise NotFound(
            "The frozen files of this version are gone. Restore the artifact folder from a backup."
        ) from error


def in_groups(values: Iterable[T]) -> Iterator[list[T]]:
    """Values in lists of a row group's size."""
    waiting: list[T] = []
    for value in values:
        waiting.append(value)
        if len(waiting) == ROW_GROUP:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _flat(row: Row) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in SCHEMA.names}
    return {**values, "messages": _json(row.messages), "tools": _json(row.tools)}


def _row(values: dict[str, Any]) -> Row:
    return Row(**{**values, "messages": json.loads(values["messages"]), "tools": json.loads(values["tools"])})


def _json(value: Any) -> str:
    return PLAIN.encode(value)

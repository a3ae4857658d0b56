"""Freezing a dataset: Parquet files in the artifact store, a leakage check, statistics and a diff to the parent."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from sqlmodel import Session

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.datasets import ExampleRepository, VersionRepository
from storage.tables import DatasetVersion
from studio.curate.leakage import LeakFilter
from studio.curate.outputs import canonical
from studio.curate.snapshot import FORMAT, SPLITS, Row, read_split, write_rows
from studio.errors import InvalidInput


@dataclass
class Census:
    """Counts the rows that go by."""

    sources: Counter[str] = field(default_factory=Counter)
    verified: int = 0
    lengths: list[tuple[int, int]] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    """Example id → fingerprint of its content, for the diff."""

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass rows on and count them."""
        for row in rows:
            self.sources[row.output_source] += 1
            self.verified += row.verified
            self.lengths.append((len(canonical(row.messages)), len(row.output)))
            self.marks[row.example_id] = fingerprint(row)
            yield row


@dataclass(frozen=True)
class Frozen:
    """What freezing made: the version, and whether it is a new one."""

    version: DatasetVersion
    is_new: bool
    leaked: int

    @property
    def note(self) -> str:
        """A sentence for the person who pressed Freeze."""
        if self.is_new:
            rows = f"{self.version.train_rows:,} training and {self.version.golden_rows:,} golden examples"
            return f"Version {self.version.number} holds {rows}."
        return f"Nothing changed since version {self.version.number}, so that version stands."


@dataclass(frozen=True)
class Draft:
    """Files already stored, not yet a version."""

    digest: str
    rows: dict[str, int]
    golden: Census
    train: Census
    leaked: list[str]


def fingerprint(row: Row) -> str:
    """Hash of all that a change of would be a change of the example."""
    facts = [row.messages, row.tools, row.output, row.split, row.verified]
    return sha256(canonical(facts).encode()).hexdigest()[:16]


def freeze(database: Database, artifacts: Artifacts, dataset_id: str, note: str, created_by: str) -> Frozen:
    """Store the dataset as it is now. The same content is the same version. Raises InvalidInput when empty."""
    draft = _store(database, artifacts, dataset_id)
    with database.read() as session:
        parent = VersionRepository(session).latest(dataset_id)
    diff = diff_of(artifacts, parent, {**draft.train.marks, **draft.golden.marks})
    with database.write() as session:
        return _record(session, dataset_id, draft, diff, note, created_by)


def diff_of(artifacts: Artifacts, parent: DatasetVersion | None, marks: dict[str, str]) -> dict[str, int]:
    """How many examples were added, removed and changed since the parent."""
    if parent is None:
        return {"added": len(marks), "removed": 0, "changed": 0}
    old = {row.example_id: fingerprint(row) for split in SPLITS for row in read_split(artifacts, parent.digest, split)}
    changed = sum(old[key] != mark for key, mark in marks.items() if key in old)
    return {"added": len(marks.keys() - old.keys()), "removed": len(old.keys() - marks.keys()), "changed": changed}


def _store(database: Database, artifacts: Artifacts, dataset_id: str) -> Draft:
    leak, golden, train = LeakFilter(), Census(), Census()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with database.read() as session:  # golden first: the training rows are held against it
            golden_rows = golden.watch(leak.watch(_rows(session, dataset_id, "golden")))
            train_rows = train.watch(leak.hold_back(_rows(session, dataset_id, "train")))
            rows = {"golden": write_rows(folder / "golden.parquet", golden_rows)}
            rows["train"] = write_rows(folder / "train.parquet", train_rows)
        if not sum(rows.values()):
            raise InvalidInput("There is nothing to freeze yet. Add logs to the dataset on the Capture page first.")
        digest = artifacts.save_folder(folder, {"kind": "dataset", "format": FORMAT, "rows": rows})
    return Draft(digest, rows, golden, train, leak.leaked)


def _rows(session: Session, dataset_id: str, split: str) -> Iterator[Row]:
    return (Row.of(example) for example in ExampleRepository(session).stream(dataset_id, split))


def _record(
    session: Session, dataset_id: str, draft: Draft, diff: dict[str, int], note: str, created_by: str
) -> Frozen:
    examples, versions = ExampleRepository(session), VersionRepository(session)
    examples.mark_excluded(draft.leaked, "leak")
    same = next((old for old in versions.of_dataset(dataset_id) if old.digest == draft.digest), None)
    if same:
        return Frozen(same, False, len(draft.leaked))
    parent = versions.latest(dataset_id)
    made = DatasetVersion(
        dataset_id=dataset_id,
        number=parent.number + 1 if parent else 1,
        parent_id=parent.id if parent else None,
        digest=draft.digest,
        train_rows=draft.rows["train"],
        golden_rows=draft.rows["golden"],
        verified_golden_rows=draft.golden.verified,
        stats=_stats(examples, dataset_id, draft, diff),
        note=note,
        created_by=created_by,
    )
    return Frozen(versions.add(made), True, len(draft.leaked))


def _stats(examples: ExampleRepository, dataset_id: str, draft: Draft, diff: dict[str, int]) -> dict[str, Any]:
    excluded: Counter[str] = Counter()
    for _split, _verified, reason, _source, count in examples.tally(dataset_id):
        if reason:
            excluded[reason] += count
    return {
        "excluded": dict(excluded),
        "output_sources": dict(draft.train.sources + draft.golden.sources),
        "verified_train_rows": draft.train.verified,
        "diff": diff,
        "leaked": len(draft.leaked),
        "characters": _lengths(draft.train.lengths + draft.golden.lengths),
    }


def _lengths(lengths: list[tuple[int, int]]) -> dict[str, dict[str, int]]:
    table = np.array(lengths)
    names = ("prompt", "output")
    cuts = {"p50": 50, "p95": 95, "max": 100}
    return {
        name: {label: int(np.percentile(table[:, place], cut)) for label, cut in cuts.items()}
        for place, name in enumerate(names)
    }

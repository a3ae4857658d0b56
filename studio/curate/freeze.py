"""Freezing a dataset: Parquet files in the artifact store, a leakage check, statistics and a diff to the parent."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from sqlmodel import Session

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.datasets import STEP, ExampleRepository, VersionRepository
from storage.repositories.decisions import DecisionRepository
from storage.tables import DatasetVersion, Example
from studio.curate.decisions import Decisions
from studio.curate.kto import judgements
from studio.curate.leakage import LeakFilter
from studio.curate.outputs import canonical
from studio.curate.pairs import Stated, write_pairs
from studio.curate.snapshot import DISLIKED, FORMAT, NOBODY, SPLITS, Row, read_split, write_rows
from studio.errors import InvalidInput


@dataclass
class Census:
    """Counts the rows that go by."""

    sources: Counter[str] = field(default_factory=Counter)
    verified: int = 0
    lengths: list[tuple[int, int]] = field(default_factory=list)
    decided_by: Counter[str] = field(default_factory=Counter)
    """Rows by person; one that two people decided counts for both."""
    decided_how: Counter[str] = field(default_factory=Counter)
    judged: Counter[str] = field(default_factory=Counter)
    """Answers that people found good or bad, for KTO."""
    marks: dict[str, str] = field(default_factory=dict)
    """Example id → fingerprint of its content, for the diff."""

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass rows on and count them."""
        for row in rows:
            self.sources[row.output_source] += 1
            self.verified += row.verified
            prompt = canonical(row.messages)
            self.lengths.append((len(prompt), len(row.output)))
            self.marks[row.example_id] = fingerprint(row, prompt)
            self._watch_people(row)
            yield row

    def _watch_people(self, row: Row) -> None:
        if row.decided_how:
            self.decided_how[row.decided_how] += 1
            self.decided_by.update(row.decided_by.split(", ") if row.decided_by else ())
        for _answer, wanted, _source in judgements(row):
            self.judged["desirable" if wanted else "undesirable"] += 1


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
    pairs: dict[str, Counter[str]]
    leaked: list[str]


def fingerprint(row: Row, prompt: str = "") -> str:
    """Hash of all that a change of would be a change of the example; `prompt` is its canonical text if known."""
    facts = [prompt or canonical(row.messages), canonical(row.tools), row.output, row.split, str(row.verified)]
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
    leak, golden, train, disliked = LeakFilter(), Census(), Census(), Census()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with database.read() as session:  # golden first: the training rows are held against it
            golden_rows = golden.watch(leak.watch(_rows(session, dataset_id, "golden")))
            train_rows = train.watch(leak.hold_back(_rows(session, dataset_id, "train")))
            rows = {"golden": write_rows(folder / "golden.parquet", golden_rows)}
            rows["train"] = write_rows(folder / "train.parquet", train_rows)
            unwanted = (row for row in _disliked(session, dataset_id) if not leak.repeats(row))
            write_rows(folder / f"{DISLIKED}.parquet", disliked.watch(unwanted))
            pairs = write_pairs(folder, _stated(session, dataset_id))
        if not sum(rows.values()):
            raise InvalidInput("There is nothing to freeze yet. Add logs to the dataset on the Capture page first.")
        meta = {"kind": "dataset", "format": FORMAT, "rows": {**rows, "pairs": sum(map(Counter.total, pairs.values()))}}
        digest = artifacts.save_folder(folder, meta)
    train.judged.update(disliked.judged)
    return Draft(digest, rows, golden, train, pairs, leak.leaked)


def _rows(session: Session, dataset_id: str, split: str) -> Iterator[Row]:
    return _decided(session, dataset_id, ExampleRepository(session).stream(dataset_id, split))


def _disliked(session: Session, dataset_id: str) -> Iterator[Row]:
    return _decided(session, dataset_id, ExampleRepository(session).stream(dataset_id, "train", "thumbs_down"))


def _decided(session: Session, dataset_id: str, examples: Iterator[Example]) -> Iterator[Row]:
    decisions = Decisions(session, dataset_id)
    while page := list(islice(examples, STEP)):
        decided = decisions.of(page)
        yield from (Row.of(example, decided.get(example.id, NOBODY)) for example in page)


def _stated(session: Session, dataset_id: str) -> Stated:
    """Looks up what people preferred; asks nothing where nobody ever ranked."""
    decisions = DecisionRepository(session)
    return decisions.pairs if decisions.has_pairs(dataset_id) else lambda _ids: {}


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
        "pairs": {split: dict(count) for split, count in draft.pairs.items()},
        "kto": dict(draft.train.judged),
        "decided_by": dict((draft.train.decided_by + draft.golden.decided_by).most_common()),
        "decided_how": dict((draft.train.decided_how + draft.golden.decided_how).most_common()),
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

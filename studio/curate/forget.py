"""Forgetting examples: in datasets, and in the files of frozen versions, which are written again without them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.artifacts import Artifacts
from storage.database import Database
from storage.repositories.datasets import VersionRepository
from storage.repositories.forgetting import ForgettingRepository
from storage.tables import DatasetVersion
from storage.types import now


def forget_examples(database: Database, example_ids: Collection[str]) -> int:
    """Delete the examples; nothing may refer to them any more."""
    with database.write() as session:
        return ForgettingRepository(session).delete_examples(example_ids)


def forget_in_versions(
    database: Database,
    artifacts: Artifacts,
    project_id: str,
    example_ids: Collection[str],
    first: Callable[[str], None] = lambda _version_id: None,
) -> list[DatasetVersion]:
    """Write the frozen files that hold these examples again without them; the versions that changed.

    A version keeps its id and number and gets the new files' digest and a note. The old files are removed. `first` is
    called with a version's id before it changes: whoever was killed in between finds it again.
    """
    with database.read() as session:
        versions = ForgettingRepository(session).versions(project_id)
    changed = []
    for version in versions:
        if example_ids and artifacts.exists(version.digest) and (made := _without(artifacts, version, example_ids)):
            first(version.id)
            changed.append(_replace(database, artifacts, version.id, *made))
    return changed


def _without(
    artifacts: Artifacts, version: DatasetVersion, example_ids: Collection[str]
) -> tuple[str, dict[str, int], int] | None:
    """Digest of the files without the rows, rows left by file, and rows taken out; None where there are none."""
    with tempfile.TemporaryDirectory() as name:
        folder = artifacts.checkout(version.digest, Path(name))
        meta = artifacts.manifest(version.digest)["meta"]
        rows, gone = {}, 0
        for path in sorted(folder.glob("*.parquet")):
            rows[path.stem], out = _filter(path, example_ids)
            gone += out
        if not gone:
            return None
        verified = pq.read_table(folder / "golden.parquet", columns=["verified"]).column("verified")
        rows["verified_golden"] = int(pc.sum(verified).as_py() or 0)
        told = {each: count for each, count in rows.items() if each in meta.get("rows", {})}
        return artifacts.save_folder(folder, {**meta, "rows": told}), rows, gone


def _filter(path: Path, example_ids: Collection[str]) -> tuple[int, int]:
    """Write a file again without these examples; rows left and rows taken out."""
    table: Any = pq.read_table(path)
    ids = pa.array(sorted(example_ids), pa.string())
    kept = table.filter(pc.invert(pc.is_in(table.column("example_id"), value_set=ids)))
    if kept.num_rows < table.num_rows:
        pq.write_table(kept, path, compression="zstd")
    return kept.num_rows, table.num_rows - kept.num_rows


def _replace(
    database: Database, artifacts: Artifacts, version_id: str, digest: str, rows: dict[str, int], gone: int
) -> DatasetVersion:
    with database.write() as session:
        version = VersionRepository(session).get(version_id)
        assert version is not None
        before, version.digest = version.digest, digest
        version.train_rows, version.golden_rows = rows["train"], rows["golden"]
        version.verified_golden_rows = rows["verified_golden"]
        told = f"{gone} rows taken out on {now():%Y-%m-%d}: their user was forgotten."
        version.note = f"{version.note} {told}".strip()
        session.add(version)
        session.flush()
        unused = not ForgettingRepository(session).is_frozen_as(before)
    if unused:
        artifacts.remove(before)
    return version

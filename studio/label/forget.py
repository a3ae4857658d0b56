"""Forgetting examples in labeling: records on the platform, our items, answers, votes and decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection

from storage.database import Database
from storage.repositories.forgetting import ForgettingRepository
from studio.errors import NotFound
from studio.label.backend import LabelingBackend


def forget_labels(
    database: Database, platform: Callable[[], LabelingBackend], example_ids: Collection[str]
) -> tuple[int, int]:
    """Delete everything about these examples; how many records on the platform, and how many items here.

    The platform goes first: while it does not answer nothing is deleted here, so that no record loses its trace.
    """
    with database.read() as session:
        items = ForgettingRepository(session).items_of(example_ids)
    records: dict[str, list[str]] = defaultdict(list)
    for item, task in items:
        if task.backend_ref and item.backend_ref:
            records[task.backend_ref].append(item.backend_ref)
    gone = sum(_forget_on_platform(platform(), ref, ids) for ref, ids in records.items())
    with database.write() as session:
        return gone, ForgettingRepository(session).delete_labels(example_ids)


def _forget_on_platform(platform: LabelingBackend, ref: str, record_ids: list[str]) -> int:
    try:
        return platform.forget(ref, record_ids)
    except NotFound:
        return 0  # somebody deleted the whole task there

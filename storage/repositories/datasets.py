"""Queries over datasets, their examples and their versions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, ClassVar

from sqlalchemy import String, cast, func, or_, update
from sqlmodel import Session, col, select

from storage.repositories.base import Repository
from storage.tables import Dataset, DatasetVersion, Example
from storage.types import now

STEP = 500
"""Rows per query when many are walked; also below SQLite's limit of bound parameters."""


class DatasetRepository(Repository[Dataset]):
    """Datasets."""

    table: ClassVar[type[Dataset]] = Dataset

    def of_project(self, project_id: str) -> list[Dataset]:
        """The project's datasets, newest first."""
        query = select(Dataset).where(Dataset.project_id == project_id)
        return list(self.session.exec(query.order_by(col(Dataset.created_at).desc())))


class ExampleRepository(Repository[Example]):
    """Examples of a dataset."""

    table: ClassVar[type[Example]] = Example

    def by_ids(self, ids: Collection[str]) -> list[Example]:
        """The examples with these ids, in no promised order."""
        return [
            row for step in _steps(ids) for row in self.session.exec(select(Example).where(col(Example.id).in_(step)))
        ]

    def by_logs(self, dataset_id: str, log_ids: Collection[int]) -> dict[int, Example]:
        """The dataset's examples made from these log entries, by log entry."""
        query = select(Example).where(Example.dataset_id == dataset_id)
        found = [row for step in _steps(log_ids) for row in self.session.exec(query.where(_log_in(step)))]
        return {row.log_entry_id: row for row in found if row.log_entry_id is not None}

    def of_log(self, log_entry_id: int) -> list[tuple[Example, Dataset]]:
        """The examples made from a log entry, with their datasets."""
        query = select(Example, Dataset).join(Dataset, col(Dataset.id) == Example.dataset_id)
        found = self.session.exec(query.where(Example.log_entry_id == log_entry_id).order_by(col(Example.id)))
        return [(example, dataset) for example, dataset in found]

    def by_hashes(self, dataset_id: str, hashes: Collection[str]) -> list[Example]:
        """The dataset's examples with one of these prompts, oldest first."""
        query = select(Example).where(Example.dataset_id == dataset_id).order_by(col(Example.id))
        return [
            row for step in _steps(hashes) for row in self.session.exec(query.where(col(Example.prompt_hash).in_(step)))
        ]

    def page(
        self,
        dataset_id: str,
        *,
        split: str | None = None,
        excluded: bool | str | None = None,
        verified: bool | None = None,
        text: str = "",
        after: str | None = None,
        limit: int = 50,
    ) -> list[Example]:
        """One keyset page. `excluded`: None all, False what is in, True what is out, text one reason."""
        query = select(Example).where(*_conditions(dataset_id, split, excluded, verified, text))
        if after:
            query = query.where(col(Example.id) > after)
        return list(self.session.exec(query.order_by(col(Example.id)).limit(limit)))

    def stream(
        self, dataset_id: str, split: str | None = None, excluded: bool | str | None = False
    ) -> Iterator[Example]:
        """Every example by id, a few hundred in memory at a time."""
        after: str | None = None
        while page := self.page(dataset_id, split=split, excluded=excluded, after=after, limit=STEP):
            yield from page
            after = page[-1].id
            for row in page:
                if row not in self.session.dirty:
                    self.session.expunge(row)

    def recent_outputs(self, dataset_id: str, limit: int = 200) -> list[str]:
        """Outputs of the newest examples that are in."""
        query = select(Example.output).where(Example.dataset_id == dataset_id, col(Example.excluded).is_(None))
        return list(self.session.exec(query.order_by(col(Example.id).desc()).limit(limit)))

    def tally(self, dataset_id: str) -> list[tuple[str, bool, str | None, str, int]]:
        """Rows per (split, verified, excluded, output_source)."""
        keys = (Example.split, Example.verified, Example.excluded, Example.output_source)
        query: Any = select(*keys, func.count()).where(Example.dataset_id == dataset_id).group_by(*keys)  # type: ignore[call-overload]
        return [tuple(row) for row in self.session.exec(query)]

    def mark_excluded(self, ids: Collection[str], reason: str | None) -> int:
        """Set or clear the reason for leaving these examples out; returns how many there were."""
        done = 0
        for step in _steps(ids):
            statement = update(Example).where(col(Example.id).in_(step)).values(excluded=reason, updated_at=now())
            done += self.session.execute(statement).rowcount  # type: ignore[attr-defined]
        return done

    def datasets_of(self, ids: Collection[str]) -> set[str]:
        """The datasets that these examples are in."""
        query = select(Example.dataset_id).distinct()
        return {row for step in _steps(ids) for row in self.session.exec(query.where(col(Example.id).in_(step)))}


class VersionRepository(Repository[DatasetVersion]):
    """Frozen versions of datasets."""

    table: ClassVar[type[DatasetVersion]] = DatasetVersion

    def of_dataset(self, dataset_id: str) -> list[DatasetVersion]:
        """The dataset's versions, newest first."""
        query = select(DatasetVersion).where(DatasetVersion.dataset_id == dataset_id)
        return list(self.session.exec(query.order_by(col(DatasetVersion.number).desc())))

    def of_project(self, project_id: str) -> list[tuple[DatasetVersion, Dataset]]:
        """Every version of the project with its dataset, newest first."""
        query = select(DatasetVersion, Dataset).join(Dataset, col(Dataset.id) == col(DatasetVersion.dataset_id))
        query = query.where(Dataset.project_id == project_id)
        return list(self.session.exec(query.order_by(col(DatasetVersion.created_at).desc())))

    def latest(self, dataset_id: str) -> DatasetVersion | None:
        """The newest version of the dataset."""
        return next(iter(self.of_dataset(dataset_id)), None)


def _conditions(
    dataset_id: str, split: str | None, excluded: bool | str | None, verified: bool | None, text: str
) -> list[Any]:
    found: list[Any] = [Example.dataset_id == dataset_id]
    if split:
        found.append(Example.split == split)
    if isinstance(excluded, str):
        found.append(Example.excluded == excluded)
    elif excluded is not None:
        found.append(col(Example.excluded).is_not(None) if excluded else col(Example.excluded).is_(None))
    if verified is not None:
        found.append(Example.verified == verified)
    return [*found, _contains(text.strip())] if text.strip() else found


def _contains(text: str) -> Any:
    escaped = json.dumps(text)[1:-1]  # as it stands inside the JSON column
    prompt = cast(Example.messages, String).icontains(escaped, autoescape=True)
    return or_(col(Example.output).icontains(text, autoescape=True), prompt)


def _log_in(ids: Sequence[int]) -> Any:
    return col(Example.log_entry_id).in_(ids)


def _steps(keys: Collection[Any]) -> Iterator[list[Any]]:
    ordered = list(keys)
    for start in range(0, len(ordered), STEP):
        yield ordered[start : start + STEP]


def repositories(session: Session) -> tuple[DatasetRepository, ExampleRepository, VersionRepository]:
    """The three repositories of this file on one session."""
    return DatasetRepository(session), ExampleRepository(session), VersionRepository(session)

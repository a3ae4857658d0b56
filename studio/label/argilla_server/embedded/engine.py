"""A search engine for argilla-server that answers from Argilla's own database, chosen as ARGILLA_SEARCH_ENGINE=sql.

Argilla commits every write before it calls the engine's hooks, so the tables are the index and most hooks have
nothing to do. Only full text on SQLite is kept apart (fulltext_index).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from argilla_server.database import AsyncSessionLocal
from argilla_server.enums import SimilarityOrder
from argilla_server.models import Dataset, MetadataProperty, Record, Response, Suggestion, User, VectorSettings
from argilla_server.search_engine.base import MetadataMetrics, SearchEngine, SearchResponseItem, SearchResponses
from sqlalchemy import func, literal, select

from . import assignment, fulltext, fulltext_index, metrics
from .filters import condition, person_in
from .jsonsql import is_postgresql
from .sorting import metadata_types, order_by, shuffled_for
from .vectors import UnitVectors


@SearchEngine.register(engine_name="sql")
class SqlSearchEngine(SearchEngine):
    """Search, filters, sort, similarity and progress in SQL."""

    prepared: ClassVar[bool] = False

    @classmethod
    async def new_instance(cls) -> SqlSearchEngine:
        """An engine for one request; the first of the process prepares the full-text index."""
        if not cls.prepared and not is_postgresql():
            await fulltext_index.prepare()
            cls.prepared = True
        return cls()

    async def close(self) -> None:
        """Nothing is held open."""

    async def ping(self) -> bool:
        """Whether the database answers."""
        async with AsyncSessionLocal() as db:
            return bool((await db.execute(select(literal(1)))).scalar_one() == 1)

    async def info(self) -> dict[str, Any]:
        """What Argilla's status page shows."""
        kind = "postgresql" if is_postgresql() else "sqlite"
        return {"name": "whetstone-sql-search", "version": {"number": "1.0", "distribution": kind}}

    async def create_index(self, dataset: Dataset) -> None:
        """Nothing to do: the tables are the index."""

    async def delete_index(self, dataset: Dataset) -> None:
        """Forget the dataset's texts."""
        if not is_postgresql():
            await fulltext_index.delete(fulltext_index.DOCUMENT.c.dataset_id == dataset.id)

    async def configure_metadata_property(self, dataset: Dataset, metadata_property: MetadataProperty) -> None:
        """Nothing to do: the tables are the index."""

    async def configure_index_vectors(self, vector_settings: VectorSettings) -> None:
        """Nothing to do: vectors are read when asked for."""

    async def index_records(self, dataset: Dataset, records: Iterable[Record]) -> None:
        """Index the texts of new and changed records."""
        if not is_postgresql():
            await fulltext_index.write(dataset.id, [(record.id, dict(record.fields)) for record in records])

    async def partial_record_update(self, record: Record, **update: Any) -> None:
        """Nothing to do: the tables are the index."""

    async def delete_records(self, dataset: Dataset, records: Iterable[Record]) -> None:
        """Forget the records' texts."""
        ids = [record.id for record in records]
        if ids and not is_postgresql():
            await fulltext_index.delete(fulltext_index.DOCUMENT.c.record_id.in_(ids))

    async def update_record_response(self, response: Response) -> None:
        """Nothing to do: the tables are the index."""

    async def delete_record_response(self, response: Response) -> None:
        """Nothing to do: the tables are the index."""

    async def update_record_suggestion(self, suggestion: Suggestion) -> None:
        """Nothing to do: the tables are the index."""

    async def delete_record_suggestion(self, suggestion: Suggestion) -> None:
        """Nothing to do: the tables are the index."""

    async def get_dataset_progress(self, dataset: Dataset) -> dict[str, int]:
        """Records by status."""
        return await metrics.dataset_progress(dataset)

    async def get_dataset_user_progress(self, dataset: Dataset, user: User) -> dict[str, int]:
        """One person's responses by status, to what they are asked for."""
        return await metrics.user_progress(dataset, user)

    async def count_asked(self, dataset: Dataset, user: User) -> int:
        """How many records one person is asked for."""
        return await assignment.count_asked(dataset, user.id)

    async def compute_metrics_for(self, metadata_property: MetadataProperty) -> MetadataMetrics:
        """Facets of a metadata property."""
        return await metrics.metadata_metrics(metadata_property)

    async def search(
        self,
        dataset: Dataset,
        query: Any = None,
        filter: Any = None,
        sort: Any = None,
        offset: int = 0,
        limit: int = 100,
        user_id: Any = None,  # not in the base class, but the request handler passes it
    ) -> SearchResponses:
        """A page of records that match, with how many there are."""
        wanted = [*_conditions(dataset, query, filter), *await assignment.theirs(dataset, user_id)]
        async with AsyncSessionLocal() as db:
            total = (await db.execute(select(func.count()).select_from(Record).where(*wanted))).scalar_one()
            types = await metadata_types(db, dataset) if sort else {}
            page = _ordered(dataset, query, [order_by(dataset, order, types) for order in sort or []], user_id)
            page = page.where(*wanted).order_by(Record.inserted_at, Record.id).offset(offset).limit(limit)
            rows = (await db.execute(page)).all()
        return SearchResponses(items=[SearchResponseItem(record_id=row[0], score=row[1]) for row in rows], total=total)

    async def similarity_search(
        self,
        dataset: Dataset,
        vector_settings: VectorSettings,
        value: list[float] | None = None,
        record: Record | None = None,
        query: Any = None,
        filter: Any = None,
        max_results: int = 100,
        order: SimilarityOrder = SimilarityOrder.most_similar,
        threshold: float | None = None,
    ) -> SearchResponses:
        """The records whose vectors are nearest to a value or to another record."""
        target = _target(vector_settings, value, record)
        asked = await assignment.theirs(dataset, person_in(filter))
        async with AsyncSessionLocal() as db:
            vectors = await UnitVectors.load(db, vector_settings.id)
            among = None
            if filter or fulltext.node_of(query):
                wanted = [*_conditions(dataset, query, filter), *asked]
                among = set((await db.scalars(select(Record.id).where(*wanted))).all())
        reverse = order == SimilarityOrder.least_similar
        found = vectors.nearest(
            target, max_results, reverse=reverse, without=record.id if record else None, among=among
        )
        items = [SearchResponseItem(record_id=each, score=score) for each, score in found]
        kept = [item for item in items if threshold is None or item.score >= threshold]
        return SearchResponses(items=kept, total=len(kept))


def _conditions(dataset: Dataset, query: Any, wanted: Any) -> list[Any]:
    found = [Record.dataset_id == dataset.id]
    if wanted:
        found.append(condition(dataset, wanted))
    node = fulltext.node_of(query)
    if node:
        found.append(fulltext.matches(dataset, node, fulltext.field_of(query)))
    return found


def _ordered(dataset: Dataset, query: Any, sort: list[Any], user_id: Any) -> Any:
    """Record id and score, in the order asked for, else by relevance, else in the annotator's own order."""
    plain = select(Record.id, literal(1.0).label("score"))
    if sort:
        return plain.order_by(*sort)
    scores = fulltext.ranking(dataset, fulltext.node_of(query), fulltext.field_of(query))
    if scores is not None:
        score = func.coalesce(scores.c.score, 0.0)
        ranked = select(Record.id, score.label("score")).outerjoin(scores, scores.c.record_id == Record.id)
        return ranked.order_by(score.desc())
    return plain.order_by(shuffled_for(user_id)) if user_id is not None else plain


def _target(vector_settings: VectorSettings, value: list[float] | None, record: Record | None) -> list[float]:
    if bool(value) == bool(record):
        raise ValueError("Must provide either vector value or record to compute the similarity search")
    found = record.vector_value_by_vector_settings(vector_settings) if record is not None else value
    if not found:
        raise ValueError("Cannot find a vector value to apply with provided info")
    return list(found)

"""Argilla's sort orders as SQL; records without the value come last."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from argilla_server.enums import MetadataPropertyType, SortOrder
from argilla_server.models import Dataset, MetadataProperty, Question, Record, Response, Suggestion
from argilla_server.search_engine.base import (
    MetadataFilterScope,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
)
from sqlalchemy import String, cast, func, select, true

from .filters import responses_of, suggestion_property, suggestions_of
from .jsonsql import is_postgresql, json_path, json_values


async def metadata_types(db: Any, dataset: Dataset) -> dict[str, Any]:
    """Name → type of the dataset's metadata properties."""
    rows = await db.scalars(select(MetadataProperty).where(MetadataProperty.dataset_id == dataset.id))
    return {row.name: row.type for row in rows}


def order_by(dataset: Dataset, order: Any, types: dict[str, Any]) -> Any:
    """The ORDER BY term. Raises ValueError for a scope Argilla does not have."""
    falling = order.order == SortOrder.desc
    pick = func.max if falling else func.min
    value = _sort_value(dataset, order.scope, types, pick)
    return (value.desc() if falling else value.asc()).nulls_last()


def shuffled_for(user_id: Any) -> Any:
    """Each annotator meets the records in an own, fixed order.

    Record ids are random UUIDs, so their hex digits read from another place are as good as a hash.
    """
    text = func.replace(cast(Record.id, String), "-", "")
    start = UUID(str(user_id)).int % 20
    return func.substr(text, start + 1 if start < 12 else start + 6, 12)  # not the two digits every v4 id shares


def _sort_value(dataset: Dataset, scope: Any, types: dict[str, Any], pick: Any) -> Any:
    if isinstance(scope, MetadataFilterScope):
        rows, text, as_number = json_values(Record.metadata_, json_path(scope.metadata_property))
        value = text if types.get(scope.metadata_property) == MetadataPropertyType.terms else as_number
        return select(pick(value)).select_from(rows).correlate_except(rows).scalar_subquery()
    if isinstance(scope, RecordFilterScope):
        return getattr(Record, str(scope.property))
    if isinstance(scope, SuggestionFilterScope):
        return _suggestion_value(dataset, scope, pick)
    if isinstance(scope, ResponseFilterScope):
        return _response_value(scope, pick)
    raise ValueError(f"Cannot sort by {scope}")


def _suggestion_value(dataset: Dataset, scope: SuggestionFilterScope, pick: Any) -> Any:
    name = suggestion_property(scope)
    query = select().select_from(Suggestion).join(Question, Question.id == Suggestion.question_id)
    query = query.where(*suggestions_of(dataset, scope.question)).correlate(Record)
    if name in ("agent", "type"):
        return query.add_columns(pick(getattr(Suggestion, name))).scalar_subquery()
    rows, text, as_number = json_values(getattr(Suggestion, name), "$")
    # Numbers by number, labels by text; a PostgreSQL column is one or the other.
    picked = pick(as_number) if is_postgresql() else func.coalesce(pick(as_number), pick(text))
    inner = select(picked).select_from(rows).correlate_except(rows).scalar_subquery()
    return query.add_columns(inner).scalar_subquery()


def _response_value(scope: ResponseFilterScope, pick: Any) -> Any:
    if not scope.question:
        query = select(pick(cast(Response.status, String)))
        return query.where(*responses_of(scope)).correlate(Record).scalar_subquery()
    rows, _text, as_number = json_values(Response.values, json_path(scope.question, "value"))
    query = select(func.avg(as_number)).select_from(Response).join(rows, true()).where(*responses_of(scope))
    return query.correlate(Record).scalar_subquery()

"""Counts that Argilla's UI shows: progress of a dataset, of one annotator, and metadata facets."""

from __future__ import annotations

from typing import Any

from argilla_server.database import AsyncSessionLocal
from argilla_server.enums import MetadataPropertyType
from argilla_server.models import Dataset, MetadataProperty, Record, User
from argilla_server.search_engine.base import (
    FloatMetadataMetrics,
    IntegerMetadataMetrics,
    MetadataMetrics,
    TermsMetrics,
)
from sqlalchemy import func, select, true

from .assignment import counts_of
from .jsonsql import json_path, json_values


async def dataset_progress(dataset: Dataset) -> dict[str, int]:
    """Records by status, and in total; nothing for a draft."""
    if dataset.is_draft:
        return {}
    query = select(Record.status, func.count()).where(Record.dataset_id == dataset.id).group_by(Record.status)
    return await _counts(query)


async def user_progress(dataset: Dataset, user: User) -> dict[str, int]:
    """One person's responses to what they are asked for, by status and in total; nothing for a draft."""
    if dataset.is_draft:
        return {}
    counts = await counts_of(dataset, user.id)
    return {"total": sum(counts.values()), **counts}


async def metadata_metrics(wanted: MetadataProperty) -> MetadataMetrics:
    """Terms with their counts, or the smallest and largest number."""
    rows, text, as_number = json_values(Record.metadata_, json_path(wanted.name))
    base = select().select_from(Record).join(rows, true()).where(Record.dataset_id == wanted.dataset_id)
    if wanted.type == MetadataPropertyType.terms:
        return await _terms(base, text)
    async with AsyncSessionLocal() as db:
        low, high = (await db.execute(base.add_columns(func.min(as_number), func.max(as_number)))).one()
    kind = IntegerMetadataMetrics if wanted.type == MetadataPropertyType.integer else FloatMetadataMetrics
    return kind(min=low, max=high)


async def _terms(base: Any, text: Any) -> TermsMetrics:
    count = func.count()
    query = base.add_columns(text, count).group_by(text).order_by(count.desc(), text)
    async with AsyncSessionLocal() as db:
        found = [(term, n) for term, n in (await db.execute(query)).all() if term is not None]
    counts = [TermsMetrics.TermCount(term=term, count=n) for term, n in found]
    return TermsMetrics(total=sum(n for _term, n in found), values=counts)


async def _counts(query: Any) -> dict[str, int]:
    async with AsyncSessionLocal() as db:
        found = {str(status.value): n for status, n in (await db.execute(query)).all()}
    return {"total": sum(found.values()), **found}

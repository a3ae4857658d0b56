"""Who is asked for what: a person's queue holds the records that name them, and those that name nobody.

The studio writes the usernames into a record's metadata. Argilla itself has no assignment; its queue, its filters and
its progress come from the search engine, so that is where it is kept.
"""

from __future__ import annotations

from typing import Any

from argilla_server.database import AsyncSessionLocal
from argilla_server.models import Dataset, MetadataProperty, Record, Response, User
from sqlalchemy import exists, func, literal, not_, or_, select

from .jsonsql import json_path, json_values

ASKED_OF = "asked_of"


async def theirs(dataset: Dataset, user_id: Any) -> list[Any]:
    """The conditions on Record that keep to what a person is asked for; none where the dataset asks everybody."""
    if user_id is None:
        return []
    async with AsyncSessionLocal() as db:
        asks = MetadataProperty.dataset_id == dataset.id, MetadataProperty.name == ASKED_OF
        if (await db.scalar(select(MetadataProperty.id).where(*asks))) is None:
            return []
        username = await db.scalar(select(User.username).where(User.id == user_id))
    return [or_(_names(username), not_(_names()))]


async def count_asked(dataset: Dataset, user_id: Any) -> int:
    """How many records a person is asked for."""
    wanted = [Record.dataset_id == dataset.id, *await theirs(dataset, user_id)]
    async with AsyncSessionLocal() as db:
        return int((await db.execute(select(func.count()).select_from(Record).where(*wanted))).scalar_one())


async def counts_of(dataset: Dataset, user_id: Any) -> dict[str, int]:
    """A person's responses to what they are asked for, by status."""
    query = select(Response.status, func.count()).join(Record, Record.id == Response.record_id)
    wanted = [Record.dataset_id == dataset.id, Response.user_id == user_id, *await theirs(dataset, user_id)]
    async with AsyncSessionLocal() as db:
        rows = (await db.execute(query.where(*wanted).group_by(Response.status))).all()
    return {str(status.value): n for status, n in rows}


def install() -> None:
    """Replace one name of argilla-server, which counts every record of a dataset as the person's."""
    from argilla_server.contexts import datasets

    stock = datasets.get_user_dataset_metrics

    async def person_metrics(db: Any, engine: Any, user: User, dataset: Dataset) -> dict[str, int]:
        if not hasattr(engine, "count_asked"):  # an engine of Argilla's own, chosen in the environment
            return dict(await stock(db, engine, user, dataset))
        found, asked = await engine.get_dataset_user_progress(dataset, user), await engine.count_asked(dataset, user)
        answered = {status: found.get(status, 0) for status in ("submitted", "discarded", "draft")}
        return {"total": asked, **answered, "pending": asked - sum(answered.values())}

    datasets.get_user_dataset_metrics = person_metrics


def _names(username: str | None = None) -> Any:
    """A condition: the record names this person, or anybody at all."""
    rows, text, _number = json_values(Record.metadata_, json_path(ASKED_OF))
    query = select(literal(1)).select_from(rows)
    query = query.where(text == username) if username is not None else query
    return exists(query.correlate_except(rows))

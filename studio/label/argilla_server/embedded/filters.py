"""Argilla's filters as SQL conditions over its own tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from argilla_server.enums import RecordStatus, ResponseStatus, ResponseStatusFilter, SuggestionType
from argilla_server.models import Dataset, Question, Record, Response, Suggestion
from argilla_server.search_engine.base import (
    AndFilter,
    MetadataFilterScope,
    RangeFilter,
    RecordFilterScope,
    ResponseFilterScope,
    SuggestionFilterScope,
    TermsFilter,
)
from sqlalchemy import String, and_, cast, exists, false, literal, not_, or_, select, true

from .jsonsql import in_range, json_matches, json_path, number


def condition(dataset: Dataset, wanted: Any) -> Any:
    """The condition on Record for a filter. Raises ValueError for a filter Argilla does not have."""
    if isinstance(wanted, AndFilter):
        return and_(true(), *[condition(dataset, inner) for inner in wanted.filters])
    scope = wanted.scope
    if isinstance(scope, MetadataFilterScope):
        return json_matches(Record.metadata_, json_path(scope.metadata_property), wanted)
    if isinstance(scope, RecordFilterScope):
        return _on_record(str(scope.property), wanted)
    if isinstance(scope, SuggestionFilterScope):
        return _on_suggestion(dataset, scope, wanted)
    if isinstance(scope, ResponseFilterScope):
        return _on_response(scope, wanted)
    raise ValueError(f"Cannot filter by {scope}")


def person_in(wanted: Any) -> Any:
    """The id of the person a filter is about; similarity search is told of nobody else."""
    if isinstance(wanted, AndFilter):
        return next((found for inner in wanted.filters if (found := person_in(inner)) is not None), None)
    scope = getattr(wanted, "scope", None)
    return scope.user.id if isinstance(scope, ResponseFilterScope) and scope.user else None


def suggestion_property(scope: SuggestionFilterScope) -> str:
    """Which column of the suggestion is meant; its value unless said otherwise."""
    return "value" if scope.property in (None, "None") else str(scope.property)


def suggestions_of(dataset: Dataset, question: str) -> list[Any]:
    """The conditions that join Suggestion and Question to the record at hand."""
    return [Suggestion.record_id == Record.id, Question.dataset_id == dataset.id, Question.name == question]


def responses_of(scope: ResponseFilterScope) -> list[Any]:
    """The conditions that join Response to the record at hand, for one annotator or anybody."""
    mine = [Response.record_id == Record.id]
    return [*mine, Response.user_id == scope.user.id] if scope.user else mine


def moment(value: Any) -> datetime | None:
    """A bound for inserted_at or updated_at, from ISO text or epoch milliseconds, as Argilla stores it: naive UTC."""
    if value is None:
        return None
    milliseconds = number(value)
    if isinstance(value, datetime):
        found = value
    elif milliseconds is not None:
        found = datetime.fromtimestamp(milliseconds / 1000, UTC)
    else:
        found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _on_record(name: str, wanted: Any) -> Any:
    column = getattr(Record, name)
    if name in ("inserted_at", "updated_at"):
        if isinstance(wanted, RangeFilter):
            return in_range(column, moment(wanted.ge), moment(wanted.le))
        return column.in_([moment(value) for value in wanted.values])
    if isinstance(wanted, RangeFilter):
        return in_range(cast(column, String), _text(wanted.ge), _text(wanted.le))
    return column.in_(_record_values(name, [str(value) for value in wanted.values]))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _record_values(name: str, values: list[str]) -> list[Any]:
    if name == "id":
        return [UUID(value) for value in values if _is_uuid(value)]
    if name == "status":
        return [RecordStatus(value) for value in values if value in list(RecordStatus)]
    return values


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


def _on_suggestion(dataset: Dataset, scope: SuggestionFilterScope, wanted: Any) -> Any:
    name = suggestion_property(scope)
    if name == "agent":
        match = Suggestion.agent.in_([str(value) for value in wanted.values])
    elif name == "type":
        match = Suggestion.type.in_([SuggestionType(value) for value in wanted.values if value in list(SuggestionType)])
    else:
        match = json_matches(getattr(Suggestion, name), "$", wanted)
    joined = select(literal(1)).select_from(Suggestion).join(Question, Question.id == Suggestion.question_id)
    return exists(joined.where(*suggestions_of(dataset, scope.question), match).correlate(Record))


def _on_response(scope: ResponseFilterScope, wanted: Any) -> Any:
    def some(*conditions: Any) -> Any:
        query = select(literal(1)).select_from(Response).where(*responses_of(scope), *conditions)
        return exists(query.correlate(Record))

    if scope.question:
        return some(json_matches(Response.values, json_path(scope.question, "value"), wanted))
    if scope.property != "status" or not isinstance(wanted, TermsFilter):
        raise ValueError(f"Cannot filter by {scope}")
    values = [str(value) for value in wanted.values]
    named = [ResponseStatus(value) for value in values if value in list(ResponseStatus)]
    found = [some(Response.status.in_(named))] if named else []
    if ResponseStatusFilter.pending.value in values:
        found.append(not_(some()))
    return or_(*found) if found else false()

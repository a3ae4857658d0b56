"""A draft's example as a teammate will see it: the very item that publishing sends."""

from __future__ import annotations

from studio.label.backend import Item, Question
from studio.label.draft import PreviewItem, TaskDraft
from studio.label.publishing import shown_messages
from studio.label.templates import template


def questions_of(draft: TaskDraft, _candidates: int = 0) -> tuple[Question, ...]:
    """The questions as they will be asked. Raises InvalidInput for options that cannot work."""
    return template(draft.template).questions(draft.options)


def item_seen(draft: TaskDraft, row: PreviewItem, username: str) -> Item:
    """The item in this person's queue."""
    suggestions = template(draft.template).suggestions(row.shown_output)
    return Item(row.example.id, shown_messages(row.example.messages), row.shown_output, suggestions)

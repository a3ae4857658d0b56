"""A draft's example as a teammate will see it: made by what publishing uses, so the preview cannot differ."""

from __future__ import annotations

from storage.tables import LabelItem, LabelTask
from studio.label.backend import Item, Question
from studio.label.draft import PreviewItem, TaskDraft
from studio.label.items import item_for_everybody, item_for_person
from studio.label.publishing import question_facts
from studio.label.templates import template


def questions_seen(draft: TaskDraft) -> tuple[Question, ...]:
    """The questions as they will be asked. Raises InvalidInput for options that cannot work."""
    return template(draft.template).questions(draft.options)


def item_seen(draft: TaskDraft, row: PreviewItem, username: str) -> Item:
    """The item in this person's queue; answers to compare in an order of their own."""
    spec = {"questions": [question_facts(each) for each in questions_seen(draft)], "options": dict(draft.options)}
    task = LabelTask(dataset_id=draft.dataset_id, name=draft.name, template=draft.template, spec=spec)
    example = row.example
    item = LabelItem(
        id=example.id, task_id=task.id, example_id=example.id, shown_output=row.shown_output, reason=row.reason
    )
    if not template(draft.template).needs_candidates:
        return item_for_everybody(task, item, example)
    item.candidates = list(row.candidates)
    return item_for_person(task, item, example, username)

"""Making a task: from a draft to the items that are sent, and the preview of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from storage.repositories.datasets import ExampleRepository
from storage.repositories.labels import LabelItemRepository, LabelTaskRepository
from storage.repositories.people import PersonRepository
from storage.tables import Example, LabelItem, LabelTask
from studio.access.actor import Actor, Role
from studio.errors import InvalidInput
from studio.label.draft import Preview, PreviewItem, TaskDraft, check_draft
from studio.label.publishing import question_facts
from studio.label.sampling import choose
from studio.label.templates import template

NOTHING_LEFT = "No example is left to send: all are verified, excluded or already with people."


def make_task(session: Session, actor: Actor, draft: TaskDraft) -> LabelTask:
    """Add the task and its items, ready to be sent. Raises InvalidInput for what cannot work."""
    check_draft(draft)
    task = _task(draft, actor)
    task.assignees = people_of(session, draft)
    chosen = _chosen(session, draft)
    if not chosen:
        raise InvalidInput(NOTHING_LEFT)
    LabelTaskRepository(session).add(task)
    for example in _examples(session, chosen):
        session.add(LabelItem(task_id=task.id, example_id=example.id, shown_output=example.output))
    session.flush()
    return task


def preview_of(session: Session, draft: TaskDraft, most: int) -> Preview:
    """What `make_task` would send now; the first `most` items in full."""
    chosen = _chosen(session, draft)
    if not chosen:
        return Preview([], 0, [NOTHING_LEFT])
    items = [PreviewItem(each, shown_output=each.output) for each in _examples(session, chosen[:most])]
    return Preview(items, len(chosen))


def teammates(session: Session) -> list[str]:
    """Usernames of everybody who may label."""
    people = PersonRepository(session).find(active=True)
    return sorted(person.username for person in people if Role(person.role).rank >= Role.LABELER.rank)


def people_of(session: Session, draft: TaskDraft) -> list[str]:
    """Everybody the draft asks. Raises InvalidInput when they may not label or are too few."""
    able = teammates(session)
    chosen = list(dict.fromkeys(draft.people)) or able
    unable = [name for name in chosen if name not in able]
    if unable:
        raise InvalidInput(f"These people may not label: {', '.join(unable)}. Give them a role under Settings, People.")
    if len(chosen) < draft.answers_per_item:
        raise InvalidInput(
            f"{draft.answers_per_item} answers per example need at least {draft.answers_per_item} people; "
            f"{len(chosen)} chosen. Choose more people or ask for fewer answers."
        )
    return chosen


def _task(draft: TaskDraft, actor: Actor) -> LabelTask:
    asked = template(draft.template)
    questions = asked.questions(draft.options)
    spec: dict[str, Any] = {
        "questions": [question_facts(each) for each in questions],
        "options": dict(draft.options),
        "sample": draft.sample,
        "sample_by": draft.sample_by,
        "seed": draft.seed,
    }
    return LabelTask(
        dataset_id=draft.dataset_id,
        name=draft.name.strip(),
        template=draft.template,
        guidelines=draft.guidelines.strip() or asked.guidelines,
        answers_per_item=draft.answers_per_item,
        assignment={"mode": draft.assignment, "teams": list(draft.teams), "shares": dict(draft.shares)},
        deadline=draft.deadline,
        spec=spec,
        state="publishing",
        created_by=actor.username,
    )


def _chosen(session: Session, draft: TaskDraft) -> list[str]:
    candidates = LabelItemRepository(session).candidates(draft.dataset_id)
    return choose(candidates, draft.size, draft.sample, draft.seed)


def _examples(session: Session, ids: Sequence[str]) -> list[Example]:
    found = {row.id: row for row in ExampleRepository(session).by_ids(ids)}
    return [found[key] for key in ids]

"""Making a task of a draft, and the preview of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session

from storage.repositories.datasets import ExampleRepository
from storage.repositories.labels import LabelTaskRepository
from storage.repositories.people import PersonRepository
from storage.tables import LabelItem, LabelTask
from storage.types import new_id
from studio.access.actor import Actor, Role
from studio.access.teams import members_of
from studio.errors import InvalidInput
from studio.label.draft import ANYBODY, SPLIT, Preview, PreviewItem, TaskDraft, check_draft
from studio.label.planning import NOTHING_LEFT, Plan, is_split, plan_of
from studio.label.publishing import question_facts
from studio.label.templates import template


def make_task(session: Session, actor: Actor, draft: TaskDraft) -> LabelTask:
    """Add the task and its items, ready to be sent. Raises InvalidInput for what cannot work."""
    check_draft(draft)
    task = _task(draft, actor)
    task.assignees = people_of(session, draft)
    plan = plan_of(session, draft, task.assignees)
    if not plan.items:
        raise InvalidInput(NOTHING_LEFT)
    task.assignment = {
        "mode": SPLIT if is_split(draft) else ANYBODY,
        "teams": list(draft.teams),
        "shares": dict(draft.shares),
        "assigned": plan.assigned(),
    }
    LabelTaskRepository(session).add(task)
    _add_items(session, task, plan)
    return task


def preview_of(session: Session, draft: TaskDraft, most: int) -> Preview:
    """What `make_task` would send now; the first `most` items in full."""
    check_draft(draft)
    plan = plan_of(session, draft, people_of(session, draft))
    if not plan.items:
        return Preview([], 0, [NOTHING_LEFT])
    first = plan.items[:most]
    examples = {row.id: row for row in ExampleRepository(session).by_ids([item.example_id for item in first])}
    items = [
        PreviewItem(
            examples[item.example_id],
            item.reason,
            item.shown_output,
            item.asked,
            bool(item.known),
            tuple(item.candidates),
        )
        for item in first
    ]
    return Preview(items, len(plan.items), plan.notes)


def teammates(session: Session) -> list[str]:
    """Usernames of everybody who may label."""
    people = PersonRepository(session).find(active=True)
    return sorted(person.username for person in people if Role(person.role).rank >= Role.LABELER.rank)


def people_of(session: Session, draft: TaskDraft) -> list[str]:
    """Everybody the draft asks, by name or team. Raises InvalidInput when they may not label or are too few."""
    able = teammates(session)
    chosen = list(dict.fromkeys([*draft.people, *members_of(session, draft.teams)])) or able
    unable = [name for name in chosen if name not in able]
    if unable:
        raise InvalidInput(f"These people may not label: {', '.join(unable)}. Give them a role under Settings, People.")
    if len(chosen) < draft.answers_per_item:
        raise InvalidInput(
            f"{draft.answers_per_item} answers per example need at least {draft.answers_per_item} people; "
            f"{len(chosen)} chosen. Choose more people or ask for fewer answers."
        )
    _check_shares(draft, chosen)
    return chosen


def _check_shares(draft: TaskDraft, people: Sequence[str]) -> None:
    strangers = [name for name in draft.shares if name not in people]
    if strangers:
        raise InvalidInput(
            f"A share is given for {', '.join(strangers)}, who is not asked. Add them or drop the share."
        )


def _task(draft: TaskDraft, actor: Actor) -> LabelTask:
    asked = template(draft.template)
    spec: dict[str, Any] = {
        "questions": [question_facts(each) for each in asked.questions(draft.options)],
        "options": dict(draft.options),
        "sample": draft.sample,
        "sample_by": draft.sample_by,
        "gold_percent": draft.gold_percent,
        "seed": draft.seed,
    }
    return LabelTask(
        dataset_id=draft.dataset_id,
        name=draft.name.strip(),
        template=draft.template,
        guidelines=draft.guidelines.strip() or asked.guidelines,
        answers_per_item=draft.answers_per_item,
        deadline=draft.deadline,
        spec=spec,
        state="publishing",
        created_by=actor.username,
    )


def _add_items(session: Session, task: LabelTask, plan: Plan) -> None:
    """All at once; ids in the order of the plan, because the platform is sent the items by id."""
    ids = sorted(new_id() for _item in plan.items)
    rows = [
        {
            "id": key,
            "task_id": task.id,
            "example_id": item.example_id,
            "backend_ref": "",
            "shown_output": item.shown_output,
            "asked": list(item.asked),
            "candidates": item.candidates,
            "gold": dict(item.known),
            "reason": item.reason,
        }
        for key, item in zip(ids, plan.items, strict=True)
    ]
    session.execute(insert(LabelItem), rows)
    session.flush()

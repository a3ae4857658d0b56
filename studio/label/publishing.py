"""Sending a task out: what the platform is told, and the items, read a page at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from sqlmodel import Session

from storage.database import Database
from storage.repositories.labels import LabelItemRepository, LabelTaskRepository
from storage.repositories.people import PersonRepository
from storage.tables import Example, LabelItem, LabelTask, Project
from studio.access.actor import Role
from studio.capture.text import content_text, reply_text
from studio.errors import NotFound
from studio.label.backend import Item, LabelingBackend, Question, QuestionKind, TaskSpec, Teammate
from studio.label.guidelines import mark_told, shown_guidelines
from studio.label.templates import Asked, template

PAGE = 250


def publish_task(
    database: Database, backend: LabelingBackend, task_id: str, on_sent: Callable[[int, int], None]
) -> LabelTask:
    """Send the task to the platform and open it. Safe to repeat after an interruption at any point."""
    with database.read() as session:
        task = found_task(session, task_id)
        spec = spec_of(session, task)
        total = LabelItemRepository(session).count(task_id=task_id)
    published = backend.publish(spec, _items(database, task), lambda sent: on_sent(sent, total))
    with database.write() as session:
        task = found_task(session, task_id)
        task.backend_ref = published.ref
        task.state = "open" if task.state == "publishing" else task.state
        mark_told(task)
        session.add(task)
        for item in LabelItemRepository(session).of_task(task_id):
            item.backend_ref = published.records.get(item.id, "")
    return task


def found_task(session: Session, task_id: str) -> LabelTask:
    """The task inside a caller's session. Raises NotFound."""
    task = LabelTaskRepository(session).get(task_id)
    if task is None:
        raise NotFound("There is no such labeling task. Choose one on the Label page.")
    return task


def spec_of(session: Session, task: LabelTask) -> TaskSpec:
    """The task as the platform is told about it."""
    return TaskSpec(
        key=f"{_slug(task.name)}-{task.id[-6:]}",
        workspace=workspace_name(LabelTaskRepository(session).project_of(task)),
        guidelines=shown_guidelines(task),
        questions=questions_of(task),
        answers_per_item=task.answers_per_item,
        people=tuple(teammate_of(session, name) for name in task.assignees),
    )


def teammate_of(session: Session, username: str) -> Teammate:
    """The person as the platform knows them: administrators manage, all others only answer."""
    person = PersonRepository(session).named(username)
    return Teammate(username, person is not None and person.role == Role.ADMIN)


def workspace_name(project: Project) -> str:
    """One workspace per project; the end of the id keeps like-named projects apart."""
    return f"{_slug(project.name)}-{project.id[-4:]}"


def shown_messages(messages: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The prompt as role and plain text."""
    return [{"role": str(each.get("role") or "user"), "content": _plain(each)} for each in messages] or [
        {"role": "user", "content": "(empty)"}
    ]


def question_facts(question: Question) -> dict[str, Any]:
    """A question as JSON, for the task's record of what was sent."""
    return {
        "name": question.name,
        "title": question.title,
        "kind": question.kind.value,
        "options": list(question.options),
        "description": question.description,
        "required": question.required,
        "ratings": list(question.ratings),
    }


def questions_of(task: LabelTask) -> tuple[Question, ...]:
    """The questions of a task as they were sent."""
    return tuple(_question(each) for each in task.spec["questions"])


def asked_of(task: LabelTask, item: LabelItem) -> Asked:
    """What an item's answers are about beside the shown output."""
    return Asked(task.spec.get("options") or {}, item.candidates)


def _question(facts: dict[str, Any]) -> Question:
    """A question of its facts; tasks of older releases have none about ratings."""
    lists = {name: tuple(facts[name]) for name in ("options", "ratings") if name in facts}
    return Question(**{**facts, "kind": QuestionKind(facts["kind"]), **lists})


def _items(database: Database, task: LabelTask) -> Iterator[Item]:
    """A page per transaction: none is open while the platform is spoken to."""
    after, lacking = "", task.answers_per_item if task.spec.get("sent_again") else None
    while True:
        with database.read() as session:
            page = LabelItemRepository(session).page(task.id, after, PAGE, lacking)
        if not page:
            return
        yield from (_item(task, item, example) for item, example in page)
        after = page[-1][0].id


def _item(task: LabelTask, item: LabelItem, example: Example) -> Item:
    suggestions = template(task.template).suggestions(item.shown_output)
    return Item(item.id, shown_messages(example.messages), item.shown_output, suggestions)


def _plain(message: dict[str, Any]) -> str:
    text = content_text(message.get("content"))
    if message.get("tool_calls"):
        text = "\n".join(part for part in (text, reply_text({"tool_calls": message["tool_calls"]})) if part)
    return text if text.strip() else "(empty)"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "task"

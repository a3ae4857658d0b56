"""Sending a task out: what the platform is told, and the items, read a page at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlmodel import Session

from storage.database import Database
from storage.repositories.labels import AnnotationRepository, LabelItemRepository, LabelTaskRepository
from storage.repositories.people import PersonRepository
from storage.repositories.preferences import PreferenceRepository
from storage.tables import Example, LabelItem, LabelTask, Project
from studio.access.actor import Role
from studio.errors import InvalidInput, NotFound
from studio.label.backend import Item, LabelingBackend, Published, Question, QuestionKind, TaskSpec, Teammate
from studio.label.guidelines import shown_guidelines
from studio.label.items import answers_shown, platform_items, refusal
from studio.label.items import shown_messages as shown_messages
from studio.label.shuffle import item_and_person

PAGE = 250
MOST_TOLD = 100


@dataclass(frozen=True)
class Skipped:
    """An item that could not be sent, and why."""

    item_id: str
    example_id: str
    reason: str


@dataclass(frozen=True)
class Page:
    """Items with their examples, who answered the calls, and which people answered already."""

    rows: list[tuple[LabelItem, Example]]
    models: dict[str, str]
    answered: dict[str, list[str]]


def publish_task(
    database: Database, backend: LabelingBackend, task_id: str, on_sent: Callable[[int, int], None]
) -> LabelTask:
    """Send the task to the platform and open it. Safe to repeat after an interruption at any point.

    An item that cannot be asked about is left out; `skipped_items` tells which and why. Raises InvalidInput when
    nothing is left.
    """
    with database.read() as session:
        task = found_task(session, task_id)
        spec = spec_of(session, task)
        total = LabelItemRepository(session).count(task_id=task_id)
    outgoing = Outgoing(database, task)
    if outgoing.nothing_to_ask():
        raise InvalidInput(f"Nothing can be sent: {_first_reasons(outgoing.skipped)}. Choose other examples.")
    published = backend.publish(spec, outgoing, lambda sent: on_sent(min(sent, total), total))
    with database.write() as session:
        task = found_task(session, task_id)
        task.backend_ref = published.ref
        task.state = "open" if task.state == "publishing" else task.state
        task.spec = {**task.spec, "skipped": [asdict(each) for each in outgoing.skipped[:MOST_TOLD]]}
        session.add(task)
        _keep_refs(session, task_id, published, {each.item_id for each in outgoing.skipped})
    return task


def skipped_items(task: LabelTask) -> list[Skipped]:
    """What the task was meant to send and could not, with the reasons; the first hundred."""
    return [Skipped(**each) for each in task.spec.get("skipped") or ()]


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
        answers_per_item=1 if answers_shown(task) else task.answers_per_item,
        answers_shown=answers_shown(task),
        people=tuple(teammate_of(session, name) for name in task.assignees),
    )


def teammate_of(session: Session, username: str) -> Teammate:
    """The person as the platform knows them: administrators manage, all others only answer."""
    person = PersonRepository(session).named(username)
    return Teammate(username, person is not None and person.role == Role.ADMIN)


def workspace_name(project: Project) -> str:
    """One workspace per project; the end of the id keeps like-named projects apart."""
    return f"{_slug(project.name)}-{project.id[-4:]}"


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


def _question(facts: dict[str, Any]) -> Question:
    """A question of its facts; tasks of older releases have none about ratings."""
    lists: dict[str, Any] = {name: tuple(facts[name]) for name in ("options", "ratings") if name in facts}
    return Question(**{**facts, "kind": QuestionKind(facts["kind"]), **lists})


class Outgoing:
    """The items of a task for the platform, a page per transaction: none is open while the platform is spoken to."""

    def __init__(self, database: Database, task: LabelTask) -> None:
        self.database, self.task = database, task
        self.skipped: list[Skipped] = []

    def __iter__(self) -> Iterator[Item]:
        """From the start, every time it is asked."""
        self.skipped, after = [], ""
        while page := self._page(after):
            for row in page.rows:
                yield from self._items(row, page)
            after = page.rows[-1][0].id

    def nothing_to_ask(self) -> bool:
        """Whether there are items and none of them can be asked about."""
        return next(iter(self), None) is None and bool(self.skipped)

    def _page(self, after: str) -> Page | None:
        with self.database.read() as session:
            rows = LabelItemRepository(session).page(self.task.id, after, PAGE)
            if not rows:
                return None
            models = PreferenceRepository(session).answered_by([example for _item, example in rows])
            again = self.task.spec.get("sent_again")
            ids = [item.id for item, _example in rows] if again else []
            done = AnnotationRepository(session).of_items(ids)
            people = {item_id: [each.annotator for each in given] for item_id, given in done.items()}
            return Page(rows, models, people)

    def _items(self, row: tuple[LabelItem, Example], page: Page) -> list[Item]:
        item, example = row
        answered = page.answered.get(item.id, [])
        if len(answered) >= self.task.answers_per_item:
            return []
        if reason := refusal(self.task, item, example):
            self.skipped.append(Skipped(item.id, example.id, reason))
            return []
        return platform_items(self.task, item, example, page.models.get(example.id, ""), answered)


def _keep_refs(session: Session, task_id: str, published: Published, skipped: Collection[str]) -> None:
    """Remember the platform's ids, and forget items that were not sent so that their examples are free again."""
    refs: dict[str, str] = {}
    for key, ref in published.records.items():
        refs.setdefault(item_and_person(key)[0], ref)
    answered = AnnotationRepository(session).of_items(skipped, status=None)  # sent once: our answers are kept
    for item in LabelItemRepository(session).of_task(task_id):
        if item.id in skipped and item.id not in answered:
            session.delete(item)
        else:
            item.backend_ref = refs.get(item.id, "")


def _first_reasons(skipped: Sequence[Skipped]) -> str:
    counts = Counter(each.reason for each in skipped)
    return "; ".join(f"{count} × {reason}" for reason, count in counts.most_common(3))


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "task"

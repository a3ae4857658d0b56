"""A labeled dataset with disputes, people in a room, and shortcuts to what the database holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from sqlmodel import SQLModel, select

from storage.database import Database
from storage.tables import (
    Annotation,
    Dataset,
    Example,
    LabelItem,
    LabelTask,
    LogEntry,
    Person,
    Project,
    Resolution,
    ReviewItem,
    ReviewSession,
)
from studio.access.actor import Actor, Role
from studio.curate.examples import prompt_hash
from studio.label.review.service import Reviews

Table = TypeVar("Table", bound=SQLModel)
RITA, OLGA = Actor("rita", Role.EDITOR), Actor("olga", Role.EDITOR)
MIA, NOAH, VERA = Actor("mia", Role.LABELER), Actor("noah", Role.LABELER), Actor("vera", Role.VIEWER)
FIX = '{"category": "returns"}'


@dataclass
class Board:
    """The room with shortcuts for tests."""

    reviews: Reviews
    database: Database
    project: Project
    dataset: Dataset
    task: LabelTask

    def start(self, **choices: Any) -> ReviewSession:
        source = choices.pop("source", {"kind": "task", "task_id": self.task.id})
        return self.reviews.start(RITA, self.dataset.id, "Thursday", source, **choices)

    def items(self, review: ReviewSession) -> list[ReviewItem]:
        return self.rows(ReviewItem, session_id=review.id)

    def item(self, item_id: str) -> ReviewItem:
        return self.row(ReviewItem, item_id)

    def place(self, item: ReviewItem, output: str) -> int:
        return next(place for place, each in enumerate(item.choices) if each["output"] == output)

    def row(self, table: type[Table], key: str) -> Table:
        with self.database.read() as session:
            found = session.get(table, key)
        assert found is not None
        return found

    def rows(self, table: type[Table], **equal: Any) -> list[Table]:
        with self.database.read() as session:
            key: Any = getattr(table, "position", table.id)  # type: ignore[attr-defined]
            return list(session.exec(select(table).filter_by(**equal).order_by(key)))

    def change(self, row: SQLModel, **values: Any) -> None:
        with self.database.write() as session:
            held = session.get(type(row), row.id)  # type: ignore[attr-defined]
            for name, value in values.items():
                setattr(held, name, value)

    def add(self, *rows: SQLModel) -> None:
        with self.database.write() as session:
            session.add_all(rows)

    def second_dispute(self, example_id: str) -> Resolution:
        """The same example, disputed in another task too."""
        task = LabelTask(dataset_id=self.dataset.id, name="Another", state="open")
        item = LabelItem(task_id=task.id, example_id=example_id)
        made = Resolution(task_id=task.id, item_id=item.id, example_id=example_id, verdict="disputed")
        for row in (task, item, made):
            self.add(row)
        return made

    def twin_of(self, example_id: str, **facts: Any) -> Example:
        """Another example with the same prompt."""
        first = self.row(Example, example_id)
        same = {"messages": first.messages, "prompt_hash": first.prompt_hash, "output": "x", "split": first.split}
        made = Example(dataset_id=self.dataset.id, **{**same, **facts})
        self.add(made)
        return made

    def settle(self, review: ReviewSession, place: int = 0, **word: Any) -> ReviewItem:
        """Reveal an item and decide it."""
        item = self.items(review)[place]
        self.reviews.reveal(RITA, item.id)
        return self.reviews.decide(RITA, item.id, item.revision + (item.state == "voting"), **word)


def call_of(board: Board, example: Example) -> LogEntry:
    """A captured call with the example's prompt."""
    made = LogEntry(project_id=board.project.id, messages=example.messages, reply={"content": "later"})
    board.add(made)
    return made


def example(dataset: Dataset, number: int, **facts: Any) -> Example:
    messages = [{"role": "user", "content": f"ticket {number} about {'parcel' if number % 2 else 'invoice'}"}]
    answer = f'{{"category": "billing", "n": {number}}}'
    made = Example(dataset_id=dataset.id, messages=messages, output=answer, original_output=answer)
    made.prompt_hash = prompt_hash(messages, [])
    for name, value in facts.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def people(database: Database) -> None:
    with database.write() as session:
        for actor in (RITA, OLGA, MIA, NOAH, VERA):
            session.add(Person(username=actor.username, role=actor.role))


@pytest.fixture
def dataset(database: Database, project: Project) -> Dataset:
    with database.write() as session:
        made = Dataset(project_id=project.id, name="tickets")
        session.add(made)
    return made


@pytest.fixture
def task(database: Database, dataset: Dataset) -> LabelTask:
    with database.write() as session:
        made = LabelTask(dataset_id=dataset.id, name="Golden set", guidelines="Be exact.", state="open", spec={})
        session.add(made)
    return made


@pytest.fixture
def label(database: Database, dataset: Dataset, task: LabelTask) -> Callable[..., LabelItem]:
    """Make an example that people labeled: name → (verdict, output)."""
    numbers = iter(range(1000))

    def make(disputed: bool = True, facts: dict[str, Any] | None = None, **said: tuple[str, str]) -> LabelItem:
        with database.write() as session:
            row = example(dataset, next(numbers), **(facts or {}))
            session.add(row)
            session.flush()
            item = LabelItem(task_id=task.id, example_id=row.id, shown_output=row.output)
            session.add(item)
            session.flush()
            for who, (verdict, output) in said.items():
                answers = {"verdict": verdict, "output": output or row.output}
                session.add(Annotation(task_id=task.id, item_id=item.id, annotator=who, answers=answers))
            if disputed:
                session.add(Resolution(task_id=task.id, item_id=item.id, example_id=row.id, verdict="disputed"))
        return item

    return make


@pytest.fixture
def board(
    database: Database,
    project: Project,
    dataset: Dataset,
    task: LabelTask,
    label: Callable[..., LabelItem],
    people: None,
) -> Board:
    """Three disputes between mia and noah, one example they agree on."""
    for _each in range(3):
        label(mia=("correct", ""), noah=("wrong", FIX))
    label(disputed=False, mia=("correct", ""), noah=("correct", ""))
    return Board(Reviews(database), database, project, dataset, task)

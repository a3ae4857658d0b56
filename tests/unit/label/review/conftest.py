"""A labeled dataset with disputes, people in a room, and shortcuts to what the database holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from sqlmodel import SQLModel, select

from storage.database import Database
from storage.tables import (
    Annotation,
    Dataset,
    DatasetVersion,
    Evaluation,
    EvaluationOutput,
    Example,
    LabelItem,
    LabelTask,
    LogEntry,
    Model,
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
EVERYBODY = (RITA, OLGA, MIA, NOAH, VERA)
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


def label_items(board: Board, count: int) -> None:
    """More disputes between mia and noah, in one transaction."""
    rows, items, answers = [], [], []
    for number in range(100, 100 + count):
        row = example(board.dataset, number)
        item = LabelItem(task_id=board.task.id, example_id=row.id, shown_output=row.output)
        said = {"mia": {"verdict": "correct", "output": row.output}, "noah": {"verdict": "wrong", "output": FIX}}
        answers += [
            Annotation(task_id=board.task.id, item_id=item.id, annotator=who, answers=given)
            for who, given in said.items()
        ]
        rows, items = [*rows, row], [*items, item]
    for each in (rows, items, answers):
        board.add(*each)


def call_of(board: Board, example: Example) -> LogEntry:
    """A captured call with the example's prompt."""
    made = LogEntry(project_id=board.project.id, messages=example.messages, reply={"content": "later"})
    board.add(made)
    return made


def evaluated(board: Board, row: Example, *outputs: str, scores: dict[str, float] | None = None) -> None:
    """An evaluation in which one model each gave these outputs."""
    version = DatasetVersion(dataset_id=board.dataset.id, number=1, digest="d", train_rows=1, golden_rows=1)
    models = [Model(project_id=board.project.id, name=f"m{number}", kind="base") for number in range(len(outputs))]
    made = Evaluation(project_id=board.project.id, dataset_version_id=version.id, name="e")
    answers = [
        EvaluationOutput(
            evaluation_id=made.id, model_id=model.id, example_id=row.id, output=output, scores=scores or {}
        )
        for model, output in zip(models, outputs, strict=True)
    ]
    for step in ([version, *models], [made], answers):
        board.add(*step)


def example(dataset: Dataset, number: int, **facts: Any) -> Example:
    messages = [{"role": "user", "content": f"ticket {number} about {'parcel' if number % 2 else 'invoice'}"}]
    answer = f'{{"category": "billing", "n": {number}}}'
    made = Example(dataset_id=dataset.id, messages=messages, output=answer, original_output=answer)
    made.prompt_hash = prompt_hash(messages, [])
    for name, value in facts.items():
        setattr(made, name, value)
    return made


def label(board: Board, number: int, disputed: bool = True, **said: tuple[str, str]) -> LabelItem:
    """An example that people labeled, in the one task: name → (verdict, output)."""
    row = example(board.dataset, number)
    item = LabelItem(task_id=board.task.id, example_id=row.id, shown_output=row.output)
    answers = [
        Annotation(
            task_id=board.task.id,
            item_id=item.id,
            annotator=who,
            answers={"verdict": verdict, "output": output or row.output},
        )
        for who, (verdict, output) in said.items()
    ]
    with board.database.write() as session:
        for step in ([row], [item], answers):
            session.add_all(step)
            session.flush()
        if disputed:
            session.add(Resolution(task_id=board.task.id, item_id=item.id, example_id=row.id, verdict="disputed"))
    return item


def make_board(database: Database) -> Board:
    """Three disputes between mia and noah, one example they agree on."""
    project, people = Project(name="review"), [Person(username=each.username, role=each.role) for each in EVERYBODY]
    dataset = Dataset(project_id=project.id, name="tickets")
    task = LabelTask(dataset_id=dataset.id, name="Golden set", guidelines="Be exact.", state="open")
    with database.write() as session:
        for step in ([project, *people], [dataset], [task]):
            session.add_all(step)
            session.flush()
    board = Board(Reviews(database), database, project, dataset, task)
    for number in range(3):
        label(board, number, mia=("correct", ""), noah=("wrong", FIX))
    label(board, 3, disputed=False, mia=("correct", ""), noah=("correct", ""))
    return board


@pytest.fixture
def board(database: Database) -> Board:
    return make_board(database)

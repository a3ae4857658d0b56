"""The rows a trained model does not believe are sent to people first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage.database import Database
from storage.tables import Dataset, Example, Project
from storage.types import now
from studio.errors import InvalidInput
from studio.label.samplers.pool import Chosen
from studio.label.sampling import choose
from tests.fakes.doubts import doubt_again, doubting_run


class Shelf:
    """Four training examples, one of them verified, and runs that doubt them."""

    def __init__(self, database: Database, project: Project) -> None:
        self.database, self.project, self.runs = database, project, 0
        with database.write() as session:
            dataset = Dataset(project_id=project.id, name="tickets")
            session.add(dataset)
            session.flush()
            self.dataset_id = dataset.id
            rows = [Example(dataset_id=dataset.id, output="yes", verified=number == 3) for number in range(4)]
            session.add_all(rows)
            session.flush()
            self.ids = [row.id for row in rows]

    def train(self, doubts: dict[int, float]) -> str:
        self.runs += 1
        named = {self.ids[number]: surprise for number, surprise in doubts.items()}
        return doubting_run(self.database, self.project, self.dataset_id, named, self.runs)

    def chosen(self, size: int = 10) -> list[Chosen]:
        with self.database.read() as session:
            return choose(session, self.dataset_id, size, "doubts")


@pytest.fixture
def shelf(database: Database, project: Project) -> Shelf:
    return Shelf(database, project)


def test_the_strongest_doubt_goes_first_and_says_what_the_model_says(shelf: Shelf) -> None:
    shelf.train({0: 2.0, 1: 9.0, 2: 4.0})
    assert [each.example_id for each in shelf.chosen()] == [shelf.ids[1], shelf.ids[2], shelf.ids[0]]
    assert shelf.chosen(1)[0].reason == "run 1 says: no way"


def test_verified_examples_are_believed_whatever_the_model_says(shelf: Shelf) -> None:
    shelf.train({3: 20.0, 0: 1.0})
    assert [each.example_id for each in shelf.chosen()] == [shelf.ids[0]]


def test_the_newest_run_s_doubts_count(shelf: Shelf) -> None:
    shelf.train({0: 2.0})
    shelf.train({1: 1.0})
    assert [each.example_id for each in shelf.chosen()] == [shelf.ids[1]]


def test_an_example_that_changed_since_it_was_trained_on_is_not_doubted_any_more(shelf: Shelf) -> None:
    shelf.train({0: 2.0, 1: 1.0})
    with shelf.database.write() as session:
        session.get_one(Example, shelf.ids[0]).updated_at = now() + timedelta(seconds=1)
    assert [each.example_id for each in shelf.chosen()] == [shelf.ids[1]]


def test_doubts_of_an_attempt_that_is_done_again_are_replaced(shelf: Shelf) -> None:
    run_id = shelf.train({0: 2.0})
    doubt_again(shelf.database, shelf.dataset_id, run_id, {shelf.ids[1]: 1.0})
    assert [each.example_id for each in shelf.chosen()] == [shelf.ids[1]]


def test_without_a_trained_model_the_sample_says_what_to_do(shelf: Shelf) -> None:
    with pytest.raises(InvalidInput, match="Train on a version of this dataset first"):
        shelf.chosen()

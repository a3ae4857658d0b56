"""What people decided reaches the frozen version: names, rankings, ratings and review decisions."""

from __future__ import annotations

import pytest
from sqlmodel import select

from storage.artifacts import Artifacts
from storage.tables import Example
from studio.access.actor import Actor
from studio.curate.datasets import Datasets
from studio.curate.kto import kto_rows
from studio.curate.pairs import Pair, read_pairs
from studio.curate.snapshot import Row, read_version
from studio.jobs.queue import Jobs
from studio.label.items import order_of
from studio.label.shuffle import as_shown, platform_key
from tests.unit.label.conftest import Desk
from tests.unit.label.review.conftest import FIX, RITA, Board, board

__all__ = ["board"]
ME = Actor.operator()


class Frozen:
    """A version as it was frozen just now."""

    def __init__(self, desk: Desk | Board, artifacts: Artifacts) -> None:
        database = desk.labeling.database if isinstance(desk, Desk) else desk.database
        digest = Datasets(database, artifacts, Jobs(database)).freeze_now(ME, desk.dataset.id).digest
        data = read_version(artifacts, digest)
        self.rows: dict[str, Row] = {row.example_id: row for row in data.train + data.golden}
        self.pairs: list[Pair] = [
            pair for split in ("train", "golden") for pair in read_pairs(artifacts, digest, split)
        ]


def test_people_who_agreed_sign_the_row_and_a_correction_is_a_pair(desk: Desk, artifacts: Artifacts) -> None:
    task = desk.send()
    confirmed, corrected = desk.ids(task)[:2]
    for who in ("noah", "mia"):
        desk.say(task, who, confirmed, "correct")
        desk.say(task, who, corrected, "wrong", FIX)
    desk.labeling.sync(task.id)
    desk.labeling.apply(ME, task.id)
    right, fixed = desk.example(task, confirmed), desk.example(task, corrected)
    frozen = Frozen(desk, artifacts)
    for example in (right, fixed):
        row = frozen.rows[example.id]
        assert (row.decided_by, row.decided_how, row.verified) == ("mia, noah", "agreement", True)
    (pair,) = frozen.pairs
    assert (pair.example_id, pair.chosen, pair.rejected) == (fixed.id, FIX, fixed.original_output)
    assert (pair.source, pair.votes, pair.decided_by) == ("correction", 2, "mia, noah")
    assert [each.source for each in kto_rows([frozen.rows[right.id]])] == ["confirmed"]


def test_rankings_become_pairs_in_the_candidates_own_words(desk: Desk, artifacts: Artifacts) -> None:
    with desk.labeling.database.write() as session:
        for number, row in enumerate(session.exec(select(Example).where(Example.dataset_id == desk.dataset.id))):
            row.original_output = f"earlier answer {number}"
    task = desk.send(template="compare", size=1, sample="random")
    ((item, example),) = desk.labeling.items(task.id)
    for who in ("mia", "noah"):
        told = as_shown([{"value": "a", "rank": 2}, {"value": "b", "rank": 1}], order_of(task, item, who))
        desk.platform.say(task.backend_ref, who, platform_key(item.id, who), "submitted", {"ranking": told})
    desk.labeling.sync(task.id)
    desk.labeling.apply(ME, task.id)
    worse, better = (str(each["output"]) for each in item.candidates)
    (pair,) = Frozen(desk, artifacts).pairs
    assert (pair.example_id, pair.chosen, pair.rejected) == (example.id, better, worse)
    assert (pair.source, pair.votes, pair.against, pair.decided_by) == ("ranking", 2, 0, "mia, noah")


def test_ratings_of_several_criteria_become_one_judgement(desk: Desk, artifacts: Artifacts) -> None:
    task = desk.send(template="rating", size=2, options={"criteria": ["Tone", "Length"]})
    good, fair = desk.ids(task)
    names = [each["name"] for each in task.spec["questions"]]
    for who in ("mia", "noah"):
        desk.platform.say(task.backend_ref, who, good, "submitted", dict.fromkeys(names, 5))
        desk.platform.say(task.backend_ref, who, fair, "submitted", dict(zip(names, (5, 1), strict=True)))
    desk.labeling.sync(task.id)
    rows = Frozen(desk, artifacts).rows
    first, second = rows[desk.example(task, good).id], rows[desk.example(task, fair).id]
    assert (first.rated, second.rated) == (1.0, 0.5)
    assert [(each.label, each.source) for each in kto_rows([first, second])] == [(True, "rating")]


@pytest.mark.parametrize("keep", ["train", "golden"])
def test_a_review_decision_signs_the_row_and_its_pair(board: Board, artifacts: Artifacts, keep: str) -> None:
    review = board.reviews.start(RITA, board.dataset.id, "Tuesday", {"kind": "task", "task_id": board.task.id})
    item = board.settle(review, verdict="corrected", output=FIX, keep=keep)
    frozen = Frozen(board, artifacts)
    row = frozen.rows[item.example_id]
    assert (row.decided_by, row.decided_how, row.split, row.output) == (RITA.username, "review", keep, FIX)
    (pair,) = frozen.pairs
    assert (pair.source, pair.split, pair.decided_by) == ("review", keep, RITA.username)
    assert (pair.chosen, pair.rejected) == (FIX, row.original_output)
    board.reviews.undo(RITA, item.id, board.items(review)[0].revision)
    undone = Frozen(board, artifacts)
    assert undone.pairs == [] and undone.rows[item.example_id].decided_by == ""

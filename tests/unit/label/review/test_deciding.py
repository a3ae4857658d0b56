"""The chair's word: what it does to the example and all that hangs on it, and how it is taken back."""

from __future__ import annotations

import random
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.tables import Annotation, DatasetVersion, Example, Guideline, LabelTask, PreferencePair, Resolution
from studio.access.actor import Actor
from studio.curate.datasets import Datasets
from studio.curate.intake import take_in
from studio.curate.snapshot import read_version
from studio.errors import Conflict, InvalidInput, NotAllowed, NotFound
from studio.jobs.queue import Jobs
from studio.label.review.deciding import KEEPS, VERDICTS, snapshot
from studio.label.tasks import Labeling
from studio.settings import Settings
from tests.fakes.labeling import FakePlatform
from tests.unit.label.review.conftest import FIX, MIA, NOAH, OLGA, RITA, VERA, Board, call_of

OTHER = '{"category": "other"}'


def everything(board: Board) -> dict[str, Any]:
    """All that a decision may change, as plain values."""
    with board.database.read() as session:
        task = session.get(LabelTask, board.task.id)
        assert task
        guideline = (task.guidelines, task.guideline_version)
    return {
        "examples": {row.id: snapshot(row) for row in board.rows(Example)},
        "resolutions": [row.model_dump() for row in board.rows(Resolution)],
        "pairs": [row.model_dump() for row in board.rows(PreferencePair)],
        "guideline": guideline,
    }


def test_a_correction_becomes_the_verified_output_with_the_chairs_name_on_it(board: Board) -> None:
    item = board.settle(board.start(), verdict="corrected", output=FIX)
    example, [resolution] = board.row(Example, item.example_id), board.rows(Resolution, review_item_id=item.id)
    assert (example.output, example.verified, example.output_source) == (FIX, True, "people")
    assert example.resolution_id == resolution.id and resolution.item_id == item.label_item_id
    assert (resolution.verdict, resolution.rule, resolution.decided_by) == ("corrected", "review", "rita")
    assert (item.state, item.decided_by) == ("decided", "rita")


def test_confirming_keeps_the_text_as_it_stands(board: Board) -> None:
    item = board.settle(board.start(), verdict="confirmed")
    example = board.row(Example, item.example_id)
    assert example.output == example.original_output and example.verified
    assert item.decision["verdict"] == "confirmed"


def test_a_correction_that_says_the_same_is_a_confirmation(board: Board) -> None:
    review = board.start()
    shown = board.row(Example, board.items(review)[0].example_id).output
    item = board.settle(review, verdict="corrected", output=shown.replace(": ", ":  "))
    assert item.decision["verdict"] == "confirmed" and board.row(Example, item.example_id).output == shown


def test_the_decided_answer_beats_the_others_with_the_votes_counted(board: Board) -> None:
    review = board.start()
    item = board.items(review)[0]
    for actor in (MIA, NOAH):
        board.reviews.enter(actor, review.id)
    board.reviews.vote(MIA, item.id, board.place(item, FIX))
    board.reviews.vote(NOAH, item.id, 1 - board.place(item, FIX))
    board.reviews.decide(RITA, item.id, board.item(item.id).revision, "corrected", FIX)
    [pair] = board.rows(PreferencePair)
    shown = board.row(Example, item.example_id).original_output
    assert (pair.chosen, pair.rejected, pair.source, pair.decided_by) == (FIX, shown, "review", "rita")
    assert (pair.votes, pair.against, pair.task_id) == (1, 1, board.task.id)


def test_what_is_dropped_is_left_out_and_teaches_no_preference(board: Board) -> None:
    item = board.settle(board.start(), verdict="left_out")
    example, [resolution] = board.row(Example, item.example_id), board.rows(Resolution, review_item_id=item.id)
    assert example.excluded == "disputed" and not example.verified
    assert resolution.verdict == "left_out" and board.rows(PreferencePair) == []


def test_confirming_but_dropping_is_leaving_out(board: Board) -> None:
    assert board.settle(board.start(), verdict="confirmed", keep="drop").decision["verdict"] == "left_out"


def test_an_open_question_decides_nothing_and_stays_a_dispute(board: Board) -> None:
    before = everything(board)
    item = board.settle(board.start(), verdict="open", note="Ask the returns team.")
    assert everything(board) == before and item.decision["note"] == "Ask the returns team."


def test_a_rule_becomes_a_new_version_of_the_tasks_guidelines(board: Board) -> None:
    review = board.start()
    first = board.settle(review, 0, verdict="confirmed", rule="Refunds are billing.")
    board.settle(review, 1, verdict="confirmed", rule="Lost parcels\nare shipping.")
    task = board.row(LabelTask, board.task.id)
    expected = "Be exact.\n\n**Decided in review**\n\n- Refunds are billing.\n- Lost parcels\n  are shipping."
    assert (task.guidelines, task.guideline_version) == (expected, 3)
    versions = {row.version: (row.text, row.changed_by) for row in board.rows(Guideline)}
    assert versions[1][0] == "Be exact." and versions[3] == (expected, "rita")
    assert first.decision["guideline"] == {"task_id": task.id, "task": "Golden set", "version": 2}


def test_a_dispute_decided_in_a_session_is_off_the_open_list(board: Board, settings: Settings) -> None:
    labeling = Labeling(board.database, Jobs(board.database), FakePlatform, settings)
    assert labeling.undecided(board.project.id) == 3
    board.settle(board.start(), verdict="corrected", output=FIX)
    assert labeling.undecided(board.project.id) == 2
    assert len(labeling.disputes(board.project.id, board.task.id)) == 2


def test_every_open_dispute_about_the_example_is_settled_by_it(board: Board) -> None:
    review = board.start()
    item = board.items(review)[0]
    other = board.second_dispute(item.example_id)
    board.settle(review, verdict="corrected", output=FIX)
    row = board.row(Resolution, other.id)
    assert (row.verdict, row.rule, row.decided_by, row.output) == ("corrected", "review", "rita", FIX)


@pytest.mark.parametrize(
    "word",
    [
        {"verdict": "corrected", "output": FIX, "keep": "golden", "rule": "Returns are not billing."},
        {"verdict": "confirmed", "keep": "train"},
        {"verdict": "left_out", "rule": "No greetings."},
        {"verdict": "open"},
    ],
    ids=lambda word: word["verdict"],
)
def test_undo_restores_exactly_what_was_before(board: Board, word: dict[str, Any]) -> None:
    review = board.start()
    item = board.items(review)[0]
    board.second_dispute(item.example_id)
    board.twin_of(item.example_id, excluded="duplicate")
    before = everything(board)
    decided = board.settle(review, **word)
    undone = board.reviews.undo(RITA, item.id, decided.revision)
    assert everything(board) == before
    assert (undone.state, undone.decision, undone.decided_by) == ("revealed", {}, "")
    assert board.settle(review, **word).state == "decided"


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_decided_undoing_it_in_any_order_leaves_nothing_behind(board: Board, seed: int) -> None:
    chance, review = random.Random(seed), board.start()
    board.twin_of(board.items(review)[0].example_id, excluded="duplicate")
    before = everything(board)
    for _round in range(2):
        for place in range(3):
            word = {
                "verdict": chance.choice(VERDICTS),
                "keep": chance.choice(KEEPS),
                "output": chance.choice((FIX, OTHER)),
            }
            board.settle(review, place, **word, rule=chance.choice(("", f"Rule {place}.")))
        for item in chance.sample(board.items(review), 3):
            board.reviews.undo(RITA, item.id, item.revision)
        after = everything(board)
        text = after.pop("guideline")[0]
        assert text == before["guideline"][0] and after == {name: before[name] for name in after}


def test_undo_of_an_open_question_gives_the_verification_back(board: Board) -> None:
    review = board.start()
    example = board.row(Example, board.items(review)[0].example_id)
    board.change(example, verified=True)
    item = board.settle(review, verdict="open")
    assert not board.row(Example, example.id).verified
    board.reviews.undo(RITA, item.id, item.revision)
    assert board.row(Example, example.id).verified


def test_undo_refuses_where_the_example_was_changed_since(board: Board) -> None:
    item = board.settle(board.start(), verdict="corrected", output=FIX, rule="A rule.")
    board.change(board.row(Example, item.example_id), output=OTHER)
    before = everything(board)
    with pytest.raises(Conflict, match="changed after the decision"):
        board.reviews.undo(RITA, item.id, item.revision)
    assert everything(board) == before and board.item(item.id).state == "decided"


def test_a_rule_people_answered_under_is_taken_back_by_another_version(board: Board) -> None:
    review = board.start()
    item = board.settle(review, verdict="confirmed", rule="Refunds are billing.")
    board.change(board.rows(Annotation)[0], guideline_version=2)
    board.reviews.undo(RITA, item.id, item.revision)
    task = board.row(LabelTask, board.task.id)
    assert (task.guidelines, task.guideline_version) == ("Be exact.", 3)


def test_moving_to_golden_takes_every_example_with_the_same_prompt_along(board: Board) -> None:
    review = board.start()
    twin = board.twin_of(board.items(review)[0].example_id, excluded="duplicate")
    item = board.settle(review, verdict="confirmed", keep="golden")
    assert board.row(Example, item.example_id).split == "golden"
    assert (board.row(Example, twin.id).split, board.row(Example, twin.id).excluded) == ("golden", "duplicate")
    assert item.decision["moved_from"] == "train" and item.decision["frozen_in"] == []


def test_a_call_captured_later_with_the_same_prompt_follows_it_to_golden(board: Board) -> None:
    item = board.settle(board.start(), verdict="confirmed", keep="golden")
    example = board.row(Example, item.example_id)
    entry = call_of(board, example)
    with board.database.write() as session:
        take_in(session, board.dataset, [entry])
    [later] = board.rows(Example, log_entry_id=entry.id)
    assert (later.prompt_hash, later.split) == (example.prompt_hash, "golden")


def test_the_decision_says_which_versions_may_have_trained_on_a_row_that_moved_to_golden(board: Board) -> None:
    board.add(DatasetVersion(dataset_id=board.dataset.id, number=4, digest="d", train_rows=3, golden_rows=0))
    assert board.settle(board.start(), verdict="confirmed", keep="golden").decision["frozen_in"] == [4]


def test_a_row_that_moved_to_golden_leaks_into_no_training_file(board: Board, artifacts: Artifacts) -> None:
    datasets = Datasets(board.database, artifacts, Jobs(board.database))
    review = board.start()
    twin = board.twin_of(board.items(review)[0].example_id)
    item = board.settle(review, verdict="confirmed", keep="golden")
    board.change(twin, excluded=None, split="train")  # somebody takes the repetition in again by hand
    frozen = read_version(artifacts, datasets.freeze_now(RITA, board.dataset.id).digest)
    assert [row.example_id for row in frozen.golden] == [item.example_id] and frozen.golden[0].verified
    assert frozen.train and twin.id not in [row.example_id for row in frozen.train]


def test_of_equal_prompts_only_the_decided_one_is_in(board: Board) -> None:
    review = board.start()
    example = board.row(Example, board.items(review)[0].example_id)
    board.change(example, excluded="duplicate")
    twin = board.twin_of(example.id)
    board.settle(review, verdict="corrected", output=FIX)
    assert board.row(Example, example.id).excluded is None and board.row(Example, twin.id).excluded == "duplicate"


def test_a_stale_decision_is_refused_and_says_who_decided_what(board: Board) -> None:
    review = board.start()
    item = board.items(review)[0]
    board.reviews.reveal(RITA, item.id)
    seen = board.item(item.id).revision
    board.reviews.decide(RITA, item.id, seen, "corrected", FIX)
    with pytest.raises(Conflict, match=r"rita decided this item \(corrected\)"):
        board.reviews.decide(RITA, item.id, seen, "left_out")
    assert board.row(Example, item.example_id).output == FIX


def test_nothing_is_decided_before_the_votes_are_on_the_table(board: Board) -> None:
    item = board.items(board.start())[0]
    with pytest.raises(Conflict, match="Reveal them"):
        board.reviews.decide(RITA, item.id, item.revision, "confirmed")


def test_only_the_chair_decides_and_the_chair_can_be_taken(board: Board) -> None:
    review = board.start()
    item = board.items(review)[0]
    with pytest.raises(NotAllowed, match="rita has the chair"):
        board.reviews.reveal(OLGA, item.id)
    taken = board.reviews.take_chair(OLGA, review.id, review.revision)
    assert taken.chair == "olga"
    with pytest.raises(NotAllowed, match="olga has the chair"):
        board.reviews.reveal(RITA, item.id)
    with pytest.raises(Conflict, match="olga took the chair a moment ago"):
        board.reviews.take_chair(RITA, review.id, review.revision)
    board.reviews.take_chair(RITA, review.id, taken.revision)


def test_labelers_and_viewers_decide_nothing(board: Board) -> None:
    review = board.start()
    item = board.items(review)[0]
    for actor in (MIA, VERA):
        for verb in (
            lambda actor=actor: board.reviews.decide(actor, item.id, 0, "confirmed"),
            lambda actor=actor: board.reviews.undo(actor, item.id, 0),
            lambda actor=actor: board.reviews.reveal(actor, item.id),
            lambda actor=actor: board.reviews.take_chair(actor, review.id, 0),
            lambda actor=actor: board.reviews.close(actor, review.id),
            lambda actor=actor: board.reviews.start(actor, board.dataset.id, "x", {"kind": "disputes"}),
        ):
            with pytest.raises(NotAllowed):
                verb()


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ({"verdict": "corrected", "output": "  \n"}, "empty"),
        ({"verdict": "corrected"}, "empty"),
        ({"verdict": "perhaps"}, "Decide one of"),
        ({"verdict": "confirmed", "keep": "both"}, "keep it as"),
        ({"verdict": "confirmed", "rule": "x" * 4001}, "at most"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(board: Board, word: dict[str, Any], says: str) -> None:
    review, before = board.start(), everything(board)
    with pytest.raises(InvalidInput, match=says):
        board.settle(review, **word)
    assert everything(board) == before


def test_a_closed_session_changes_no_more(board: Board) -> None:
    review = board.start()
    item = board.settle(review, verdict="confirmed")
    board.reviews.close(RITA, review.id)
    for verb in (
        lambda: board.reviews.undo(RITA, item.id, item.revision),
        lambda: board.reviews.vote(MIA, item.id, 0),
        lambda: board.reviews.take_chair(OLGA, review.id, 99),
    ):
        with pytest.raises(Conflict, match="closed"):
            verb()


def test_an_id_that_names_nothing_is_said_to(board: Board) -> None:
    with pytest.raises(NotFound):
        board.reviews.decide(RITA, "none", 0, "confirmed")
    with pytest.raises(NotFound):
        board.reviews.enter(Actor.operator(), "none")

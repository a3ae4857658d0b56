"""What a session leaves behind: minutes, and their Markdown."""

from __future__ import annotations

from datetime import timedelta

from storage.tables import DatasetVersion, Example
from storage.types import now
from studio.label.review.markdown import fenced, plain
from tests.unit.label.review.conftest import FIX, MIA, NOAH, RITA, Board, label

HOSTILE = "</pre><script>x()</script> ``` ![x](http://evil/p.png) [click](javascript:x)\n# Heading"


def held(board: Board) -> str:
    """A session of four items, each decided in another way; returns its id."""
    label(board, 20, mia=("correct", ""), noah=("wrong", FIX))
    board.add(DatasetVersion(dataset_id=board.dataset.id, number=3, digest="d", train_rows=3, golden_rows=0))
    review = board.start(people=("mia", "noah"))
    for actor in (MIA, NOAH):
        board.reviews.enter(actor, review.id)
    first, second = board.items(review)[:2]
    for actor in (MIA, NOAH):
        board.reviews.vote(actor, first.id, board.place(first, FIX))
    board.reviews.vote(MIA, second.id, board.place(second, FIX))
    board.reviews.vote(NOAH, second.id, 1 - board.place(second, FIX))
    rule = "Returns are not billing."
    words = [
        {"verdict": "corrected", "output": FIX, "keep": "golden", "rule": rule},
        {"verdict": "corrected", "output": FIX, "keep": "train", "note": "as agreed"},
        {"verdict": "left_out"},
        {"verdict": "open", "note": "Ask the returns team."},
    ]
    for place, word in enumerate(words):
        board.settle(review, place, **word)
    return review.id


def test_the_minutes_say_what_went_where_and_what_stayed_open(board: Board) -> None:
    minutes = board.reviews.minutes(held(board))
    assert [
        len(rows) for rows in (minutes.to_golden, minutes.to_training, minutes.dropped, minutes.open_questions)
    ] == [*(1, 1, 1, 1)]
    [golden], [training] = minutes.to_golden, minutes.to_training
    assert (golden.output, golden.moved_from, golden.frozen_in) == (FIX, "train", [3])
    assert (golden.for_it, golden.votes, training.for_it, training.votes) == (2, 2, 1, 2)
    assert training.note == "as agreed" and training.decided_by == "rita"
    [rule] = minutes.guidelines
    assert (rule.task, rule.version, rule.rule) == ("Golden set", 2, "Returns are not billing.")
    assert (minutes.items, minutes.undecided, minutes.people, minutes.chair) == (4, 0, ["mia", "noah"], "rita")


def test_agreement_before_is_of_the_labels_and_after_of_the_votes(board: Board) -> None:
    minutes = board.reviews.minutes(held(board))
    [before] = minutes.agreement_before
    assert (before["percent"], before["n"]) == (0.0, 4)
    votes, decided = minutes.agreement_after
    assert (votes["percent"], votes["n"]) == (50.0, 2)
    assert (decided["percent"], decided["n"]) == (75.0, 4)


def test_votes_still_blind_count_nowhere(board: Board) -> None:
    review = board.start(people=("mia", "noah"))
    board.reviews.enter(MIA, review.id)
    board.reviews.vote(MIA, board.items(review)[0].id, 0)
    minutes = board.reviews.minutes(review.id)
    assert minutes.agreement_after == [] and minutes.undecided == 3


def test_closing_keeps_the_agreement_and_closing_again_changes_nothing(board: Board) -> None:
    session_id = held(board)
    closed = board.reviews.close(RITA, session_id)
    assert closed.state == "closed" and len(closed.agreement_after) == 2
    assert board.reviews.close(RITA, session_id).closed_at == closed.closed_at
    assert board.reviews.tally(board.project.id) == {session_id: (4, 4)}
    example = board.row(Example, board.reviews.minutes(session_id).to_golden[0].example_id)
    board.change(example, split="train")  # moved later, by another way: these minutes stand
    assert [row.example_id for row in board.reviews.minutes(session_id).to_golden] == [example.id]


def test_the_time_per_item_is_the_median_between_decisions(board: Board) -> None:
    session_id = held(board)
    start = now()
    for place, item in enumerate(board.items(board.reviews.get(session_id))):
        board.change(item, decided_at=start + timedelta(seconds=(0, 10, 40, 900)[place]))
    assert board.reviews.minutes(session_id).seconds_per_item == 20.0  # the last gap was a break


def test_a_rule_without_a_task_to_add_it_to_is_in_the_minutes(board: Board) -> None:
    review = board.start(source={"kind": "topics"})
    board.settle(review, verdict="confirmed", rule="Be kind.")
    [rule] = board.reviews.minutes(review.id).guidelines
    assert (rule.task, rule.version, rule.rule) == ("", None, "Be kind.")
    assert "no task to add it to" in board.reviews.minutes_markdown(review.id)


def test_the_markdown_holds_every_part(board: Board) -> None:
    text = board.reviews.minutes_markdown(held(board))
    for part in (
        "# Thursday",
        "- Present: mia, noah",
        "Decided: 4 of 4 items",
        "- Before, answers before the session: 0 % equal",
        "- After, votes: 50 % equal",
        "- After, votes for the decided answer: 75 %, n = 4",
        "## Changed guidelines (1)",
        "**Golden set, version 2** (rita)",
        "## Open questions (1)",
        "Note: Ask the returns team.",
        "## Rows to golden (1)",
        "Corrected by rita; 2 of 2 votes for it; moved here from train.",
        "Models trained on version 3 may have learned this row",
        "## Rows to training (1)",
        "## Dropped (1)",
    ):
        assert part in text, part


def test_captured_text_cannot_become_markup(board: Board) -> None:
    review = board.start()
    item = board.items(review)[0]
    board.change(board.row(Example, item.example_id), messages=[{"role": "user", "content": HOSTILE}])
    board.change(item, reason=HOSTILE)
    board.settle(review, verdict="corrected", output=f"````\n{HOSTILE}", note=HOSTILE)
    text = outside_fences(board.reviews.minutes_markdown(review.id))
    assert "script&gt;" in text  # it is there, as text
    for markup in ("<script", "![x]", "[click](", "\n# Heading", "http://"):
        assert markup not in text


def outside_fences(text: str) -> str:
    """The document without its code blocks, as CommonMark reads them: a fence ends with one at least as long."""
    kept, fence = [], ""
    for line in text.splitlines():
        run = line[: len(line) - len(line.lstrip("`"))]
        if fence:
            fence = "" if len(run) >= len(fence) and line == run else fence
        elif len(run) >= 3:
            fence = run
        else:
            kept.append(line)
    assert not fence
    return "\n".join(kept)


def test_a_fence_is_longer_than_any_inside_and_plain_text_stays_on_its_line() -> None:
    assert fenced("a ```` b").startswith("`````text\n") and fenced("a").startswith("```text\n")
    assert plain("a\nb <i> *c*") == "a b &lt;i&gt; \\*c\\*"
    assert plain("http://x.y www.x.y") == "http\\://x.y www\\.x.y"

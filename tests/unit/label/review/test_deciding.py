"""The chair's word: what it does to the example and all that hangs on it, and how it is taken back."""

from __future__ import annotations

from storage.tables import Example, Resolution
from tests.unit.label.review.conftest import FIX, Board


def test_a_correction_becomes_the_verified_output_with_the_chairs_name_on_it(board: Board) -> None:
    review = board.start()
    item = board.settle(review, verdict="corrected", output=FIX)
    example, [resolution] = board.row(Example, item.example_id), board.rows(Resolution, review_item_id=item.id)
    assert (example.output, example.verified, example.output_source) == (FIX, True, "people")
    assert example.resolution_id == resolution.id and resolution.item_id == item.label_item_id
    assert (resolution.verdict, resolution.rule, resolution.decided_by) == ("corrected", "review", "rita")
    assert (item.state, item.decided_by) == ("decided", "rita")

"""Which golden rows a model is measured against."""

from __future__ import annotations

from studio.curate.snapshot import Row
from studio.evaluate.run import references


def row(key: str, output: str = "{}", verified: bool = False, rating: str | None = None) -> Row:
    return Row(key, [], [], output, "golden", verified, "model", key, rating=rating)


GOLDEN = [
    row("verified", verified=True),
    row("plain"),
    row("disliked", rating="down"),
    row("broken", output="{"),
    row("verified broken", output="{", verified=True, rating="down"),
]


def test_only_what_a_person_verified_counts() -> None:
    assert [each.example_id for each in references(GOLDEN, verified_only=True)] == ["verified", "verified broken"]


def test_on_request_unverified_answers_count_unless_disliked_or_broken() -> None:
    found = [each.example_id for each in references(GOLDEN, verified_only=False)]
    assert found == ["verified", "plain", "verified broken"]


def test_prose_is_no_reason_to_leave_a_row_out_where_answers_are_prose() -> None:
    prose = [row("a", "one"), row("b", "two"), row("c", "{}")]
    assert len(references(prose, verified_only=False)) == 3

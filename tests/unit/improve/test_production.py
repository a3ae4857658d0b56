"""What production feedback shows about served models, and what it does not."""

from __future__ import annotations

import pytest

from storage.repositories.turns import ServedRow
from studio.improve.production import by_model, ratings_needed, savings, verdicts

NAMES = {"rev1": ("support-tuned", 1, "triage")}


def served(
    model: str, revision: str | None, calls: int, up: int, down: int, cost: float = 0.0, alias: str = "triage"
) -> ServedRow:
    return ServedRow(alias, model, revision, "dep", calls, up, down, 0, 0, cost, 100.0 * calls)


def test_a_rate_has_wilsons_interval_and_its_n() -> None:
    (found,) = by_model([served("teacher", None, 400, 15, 133)], {})
    assert (found.name, found.rated, found.calls) == ("teacher", 148, 400)
    assert (found.low, found.high) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert found.mean_latency_ms == 100.0


def test_without_ratings_there_is_no_rate() -> None:
    (found,) = by_model([served("teacher", None, 10, 0, 0)], {})
    assert found.rate is None and (found.low, found.high) == (0.0, 1.0)


def test_a_deployed_revision_is_called_by_its_models_name() -> None:
    (found,) = by_model([served("tgi", "rev1", 5, 1, 0), served("support-r1", "rev1", 5, 1, 0)], NAMES)
    assert (found.name, found.revision, found.calls, found.up) == ("support-tuned", 1, 10, 2)


def test_a_clear_difference_is_said_with_its_interval_and_counts() -> None:
    rows = [served("teacher", None, 500, 48, 32), served("tgi", "rev1", 500, 66, 4)]
    (verdict,) = verdicts(by_model(rows, NAMES))
    assert verdict.shown
    assert verdict.sentence.startswith("support-tuned gets 34 points more thumbs up than teacher (95 % interval")
    assert "66 of 70 against 48 of 80 rated calls" in verdict.sentence


def test_a_worse_model_is_called_worse() -> None:
    rows = [served("teacher", None, 500, 76, 4), served("tgi", "rev1", 500, 40, 40)]
    (verdict,) = verdicts(by_model(rows, NAMES))
    assert "45 points fewer thumbs up" in verdict.sentence


def test_a_small_difference_is_not_claimed_and_the_ratings_needed_are_named() -> None:
    rows = [served("teacher", None, 500, 70, 30), served("tgi", "rev1", 500, 74, 26)]
    (verdict,) = verdicts(by_model(rows, NAMES))
    assert not verdict.shown
    assert "No difference" in verdict.sentence and f"{ratings_needed(0.7):,} ratings" in verdict.sentence


def test_a_handful_of_ratings_is_not_compared() -> None:
    rows = [served("teacher", None, 500, 90, 10), served("tgi", "rev1", 5, 0, 5)]
    (verdict,) = verdicts(by_model(rows, NAMES))
    assert not verdict.shown and "Too few ratings" in verdict.sentence


def test_models_are_compared_within_their_alias_only() -> None:
    rows = [served("teacher", None, 500, 90, 10, alias="other"), served("tgi", "rev1", 500, 40, 40)]
    assert verdicts(by_model(rows, NAMES)) == []


def test_the_ratings_needed_are_those_of_the_textbook() -> None:
    # Two proportions, 50 % against 60 %, 5 % two-sided, 80 % power: 385 each with the unpooled formula.
    assert ratings_needed(0.5) == 385
    assert ratings_needed(1.0) >= 10


def test_savings_are_the_cost_avoided_at_the_teachers_mean_price() -> None:
    rows = [served("teacher", None, 1000, 0, 0, cost=2.0), served("tgi", "rev1", 5000, 0, 0, cost=0.0)]
    (found,) = savings(by_model(rows, NAMES))
    assert found.saved_usd == pytest.approx(10.0)
    assert "n=1,000 calls" in found.sentence and "not counted" in found.sentence
    assert savings(by_model(rows[:1], NAMES)) == []

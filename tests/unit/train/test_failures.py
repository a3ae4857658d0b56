from __future__ import annotations

from typing import Any

import pytest

from studio.errors import InvalidInput
from studio.train.failures import RULES, SYMPTOMS, diagnose, symptoms


def plan(**values: Any) -> dict[str, Any]:
    return {"values": [{"name": name, "value": value} for name, value in values.items()]}


def logs(*losses: float) -> list[dict[str, Any]]:
    return [
        {"kind": "log", "step": step, "max_steps": len(losses), "loss": loss} for step, loss in enumerate(losses, 1)
    ]


def evals(*losses: tuple[int, float]) -> list[dict[str, Any]]:
    return [{"kind": "eval", "step": step, "max_steps": 60, "eval_loss": loss} for step, loss in losses]


def rules(*given: Any) -> list[str]:
    return [each["rule"] for each in symptoms(*given)]


def test_there_are_about_thirty_rules_and_none_twice() -> None:
    names = [rule.__name__ for rule in (*RULES, *SYMPTOMS)]
    assert len(names) == len(set(names)) >= 28


def test_the_root_of_a_chain_of_errors_is_found() -> None:
    try:
        try:
            raise OSError(28, "No space left on device")
        except OSError as error:
            raise InvalidInput("The run could not be carried out.") from error
    except InvalidInput as error:
        told = diagnose(error, [{"kind": "checkpoint", "step": 40}], "", {})
    assert told["rule"] == "disk_full" and told["fix"]["resume"] and "step 40" in told["cause"]
    assert told["evidence"] == "OSError: [Errno 28] No space left on device"
    assert told["log_line"] == "InvalidInput: The run could not be carried out."


def test_a_sentence_from_another_process_is_enough() -> None:
    told = diagnose(
        "The run failed on ray-1.", [], "x\ntorch.OutOfMemoryError: CUDA out of memory.\ny", plan(micro_batch=4)
    )
    assert told["rule"] == "out_of_memory" and told["evidence"].startswith("torch.OutOfMemoryError")
    assert told["fix"]["overrides"] == {"micro_batch": 2}


@pytest.mark.parametrize(
    ("values", "overrides"),
    [
        ({"training": "full"}, {"training": "lora", "micro_batch": 1}),
        ({"training": "lora", "checkpointing": False}, {"checkpointing": True, "micro_batch": 1}),
        ({"training": "lora", "checkpointing": True, "max_length": 2048}, {"max_length": 1024, "micro_batch": 1}),
        ({"training": "lora", "checkpointing": True, "max_length": 64}, {}),
    ],
)
def test_where_one_row_is_too_much_the_next_lighter_way_is_offered(
    values: dict[str, Any], overrides: dict[str, Any]
) -> None:
    events = [{"kind": "oom", "micro_from": each, "micro_to": each // 2, "accumulation": 2} for each in (4, 2)]
    told = diagnose("OutOfMemory: even with one row at a time", events, "", plan(**values))
    assert told["rule"] == "out_of_memory_at_one_row" and told["fix"]["overrides"] == overrides
    assert told["fix"]["page"] == ("" if overrides else "train") and "4 → 2 → 1" in told["evidence"]


def test_numbers_that_ran_away_are_tried_again_ten_times_slower() -> None:
    told = diagnose("x", [{"kind": "nan", "step": 7, "last_good": 4}], "", plan(learning_rate=0.02))
    assert told["rule"] == "not_a_number" and told["fix"]["overrides"] == {"learning_rate": 0.002}
    assert told["evidence"] == "At step 7. The checkpoint of step 4 is unharmed."


def test_our_own_sentences_are_told_as_they_are_and_other_errors_are_admitted() -> None:
    assert diagnose(InvalidInput("Choose 1 to 3."), [], "", {})["cause"] == "Choose 1 to 3."
    told = diagnose(ZeroDivisionError("division by zero"), [], "", {})
    assert told["rule"] == "unknown" and "no rule knows" in told["cause"]
    assert told["evidence"] == "ZeroDivisionError: division by zero"
    assert diagnose(None, [], "", {})["rule"] == "unknown"


def test_a_loss_that_falls_is_no_symptom() -> None:
    assert rules(logs(5, 4, 3, 2, 1, 0.5, 0.2), plan()) == []
    assert rules(logs(5, 4), plan()) == [], "two points show nothing"


def test_a_flat_loss_asks_for_a_higher_rate_and_a_rising_one_for_a_lower() -> None:
    stuck = symptoms(logs(5, 5.01, 4.99, 5, 5, 4.98, 5), plan(learning_rate=1e-5))
    assert [each["rule"] for each in stuck] == ["loss_stuck"]
    assert stuck[0]["fix"]["overrides"]["learning_rate"] == pytest.approx(3e-5)
    high = symptoms(logs(5, 3, 2, 6, 7, 8, 9), plan(learning_rate=3e-3))
    assert [each["rule"] for each in high] == ["loss_exploded"]
    assert high[0]["fix"]["overrides"]["learning_rate"] == pytest.approx(1e-3)


def test_a_short_run_that_ends_far_above_the_untrained_model_exploded() -> None:
    wild = [*evals((0, 4.6)), *logs(16.0), *evals((1, 16.2))]
    told = symptoms(wild, plan(learning_rate=1.0))
    assert [each["rule"] for each in told] == ["loss_exploded"]
    assert told[0]["evidence"] == (
        "The loss began at 4.6, was 4.6 at its lowest and ended at 16, on held-out rows at 16.2."
    )
    assert told[0]["fix"]["overrides"]["learning_rate"] < 1.0


def test_a_loss_that_jumped_and_came_back_is_told() -> None:
    assert rules([*evals((0, 5.6)), *logs(14, 15.7, 9.5, 5.4, 3.2, 1.7)], plan()) == ["loss_jumped"]
    assert rules([*evals((0, 0.2)), *logs(0.2, 0.7, 0.1, 0.3, 0.1, 0.1)], plan()) == [], "small losses swing"
    assert rules([*evals((0, 2.0)), *logs(2, 1.5, 4.5, 0.4, 0.9, 0.3)], plan()) == [], "one odd batch"


def test_a_target_that_did_not_move_is_a_symptom_where_nothing_else_explains_it() -> None:
    falling = logs(5, 4, 3, 2, 1, 0.5, 0.2)
    moved = {"name": "rewards/accuracies", "before": 0.5, "after": 0.7}
    assert symptoms(falling, plan(), moved) == []
    assert symptoms(falling, plan(), moved | {"before": 1.0, "after": 1.0}) == [], "there was nothing to gain"
    told = symptoms(falling, plan(), moved | {"after": 0.5})
    assert [each["rule"] for each in told] == ["target_unmoved"] and told[0]["fix"]["page"] == "curate"
    loss = {"name": "eval_loss", "before": 2.0, "after": 2.1}
    assert [each["rule"] for each in symptoms(falling, plan(), loss)] == ["target_unmoved"]
    flat = symptoms(logs(5, 5.01, 4.99, 5, 5, 4.98, 5), plan(), loss)
    assert [each["rule"] for each in flat] == ["loss_stuck"]


def test_a_held_out_loss_that_turns_up_asks_for_fewer_passes() -> None:
    learned = logs(*(5 - step * 0.08 for step in range(60)))
    turned = evals((0, 5.0), (20, 2.0), (40, 2.4), (60, 3.0))
    told = symptoms([*learned, *turned], plan(num_train_epochs=3))
    assert [each["rule"] for each in told] == ["overfit"] and told[0]["fix"]["overrides"] == {"num_train_epochs": 1.0}
    assert rules([*learned, *evals((0, 5.0), (20, 2.0), (40, 1.9), (60, 1.95))], plan()) == []


def test_a_long_healthy_log_tail_does_not_accuse_the_run() -> None:
    log = "Loading\nFutureWarning: deprecated\n{'loss': '4.0'}\n"
    assert diagnose("ValueError: boom", [], log, {})["rule"] == "unknown"

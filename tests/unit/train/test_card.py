from __future__ import annotations

from typing import Any

from storage.tables import TrainingRun
from studio.train.card import make_card
from studio.train.measures import interval, paired


def run(**more: Any) -> TrainingRun:
    values = {"num_train_epochs": 2.0, "learning_rate": 0.01}
    kept = {"values": [{"name": name, "value": value} for name, value in values.items()]}
    return TrainingRun(project_id="p", dataset_version_id="v", base_model_id="b", name="r", plan=kept, **more)


def scores(before: list[float], after: list[float]) -> dict[str, Any]:
    measured = {"before": {"exact_match": interval(before)}, "after": {"exact_match": interval(after)}}
    return {**measured, "difference": paired(after, before) | {"metric": "exact_match"}}


def sample(step: int, expected: str, answer: str) -> dict[str, Any]:
    return {"kind": "sample", "step": step, "prompt": "p", "expected": expected, "answer": answer}


def test_better_on_golden_rows_is_said_with_its_interval() -> None:
    card = make_card(run(), {"golden": scores([0.0] * 20, [1.0] * 18 + [0.0] * 2)}, [])
    assert card["sentence"] == (
        "It answers better: wholly right answers on 20 golden rows from 0 % to 90 % (95 % interval 70 % to 97 %)."
    )


def test_what_the_rows_do_not_show_is_not_claimed() -> None:
    card = make_card(run(), {"golden": scores([1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0])}, [])
    assert card["sentence"].startswith("On 4 golden rows nothing shows that it answers better: ")
    assert "from 25 % to 50 %" in card["sentence"]


def test_worse_is_said_too() -> None:
    card = make_card(run(), {"golden": scores([1.0] * 20, [0.0] * 20)}, [])
    assert card["sentence"].startswith("It answers worse: ")


def test_without_golden_rows_the_target_speaks_and_golden_rows_are_asked_for() -> None:
    card = make_card(run(), {"target": {"name": "eval_loss", "before": 5.6, "after": 0.4}}, [])
    assert card["sentence"] == "Loss on held-out rows: from 5.6 to 0.4."
    assert card["next"][0]["page"] == "curate"
    moved = make_card(run(), {"target": {"name": "rewards/accuracies", "before": 0.6, "after": 0.5}}, [])
    assert moved["sentence"].endswith("from 60 % to 50 %. It did not move the way it should.")


def test_nothing_measured_nothing_claimed() -> None:
    card = make_card(run(), {}, [])
    assert "nothing shows what it taught" in card["sentence"] and card["learned"] == []
    assert card["overfit"]["verdict"] is None and card["forgot"] == {"verdict": None, "sentence": ""}


def test_held_out_rows_are_counted_and_their_flattery_admitted() -> None:
    events = [{"kind": "eval", "step": 4, "rows": 20, "eval_loss": 0.5}]
    card = make_card(run(), {"greedy_exact": 0.95}, events)
    assert card["sentence"].startswith("Wholly right on 20 held-out rows: 95 % (95 % interval 76 % to 99.1 %).")
    assert "flatter" in card["sentence"]


def test_it_fails_where_the_kept_step_s_answers_differ() -> None:
    events = [
        sample(4, '{"a": 1}', "nonsense"),
        sample(8, '{"a": 1}', '{ "a": 1 }'),
        sample(8, '{"a": 2}', '{"a": 3}'),
        sample(12, '{"a": 1}', "nonsense"),
    ]
    card = make_card(run(), {"best_step": 8}, events)
    assert card["fails"] == [{"prompt": "p", "expected": '{"a": 2}', "answer": '{"a": 3}'}]
    assert any("gets wrong" in step["text"] for step in card["next"])


def test_a_judge_s_samples_say_themselves_whether_they_are_right() -> None:
    judged = [sample(4, "a higher score", "+1.00 for the better") | {"right": right} for right in (True, False)]
    assert len(make_card(run(method="reward"), {"best_step": 4}, judged)["fails"]) == 1


def test_learning_by_heart_is_seen_and_the_kept_step_told() -> None:
    learned = [{"kind": "log", "step": step, "max_steps": 60, "loss": 5 - step * 0.08} for step in range(1, 61)]
    watched = [
        {"kind": "eval", "step": step, "max_steps": 60, "eval_loss": loss}
        for step, loss in ((0, 5.0), (20, 2.0), (40, 2.4), (60, 3.0))
    ]
    card = make_card(run(), {"best_step": 20, "steps": 60}, [*learned, *watched])
    assert card["overfit"]["verdict"] and card["overfit"]["sentence"].endswith("Step 20 was kept, of 60.")
    assert card["next"][0]["rule"] == "overfit"
    fine = make_card(run(), {"best_step": 60, "steps": 60}, [*learned, *watched[:2]])
    assert fine["overfit"]["verdict"] is False and "No sign" in fine["overfit"]["sentence"]


def test_forgetting_is_told_with_a_gentler_plan() -> None:
    card = make_card(run(), {"keep": scores([1.0] * 30, [0.0] * 15 + [1.0] * 15)}, [])
    assert card["forgot"]["verdict"] and card["forgot"]["sentence"].startswith("It forgot something: ")
    assert card["forgot"]["fix"]["overrides"] == {"num_train_epochs": 1.0, "learning_rate": 0.005}
    assert {"forgot"} == {step["rule"] for step in card["next"] if "rule" in step}


def test_not_forgetting_and_not_knowing_are_different() -> None:
    kept = make_card(run(), {"keep": scores([1.0] * 60, [1.0] * 60)}, [])
    assert kept["forgot"]["verdict"] is False and "did not forget" in kept["forgot"]["sentence"]
    few = make_card(run(), {"keep": scores([1.0, 1.0, 0.0], [1.0, 0.0, 0.0])}, [])
    assert few["forgot"]["verdict"] is None and few["forgot"]["sentence"].startswith("Too few rows")


def test_estimates_are_held_against_what_happened() -> None:
    made = run()
    made.plan = made.plan | {"estimate": {"memory": {"model": 200 << 20}, "tokens": 1000}}
    assert make_card(made, {"peak_memory_mb": 400, "tokens": 1000}, [])["estimates"]["memory_error"] == -0.5

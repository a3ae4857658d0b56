"""Places of logged points on the axes of a comparison, resumes and long runs included."""

from __future__ import annotations

from typing import Any

from studio.train.experiments.curves import curve, metrics, placed


def log(at: float, step: int, **more: Any) -> dict[str, Any]:
    return {"at": at, "kind": "log", "step": step, **more}


def begin(at: float, resumed_at: int = 0) -> dict[str, Any]:
    return {"at": at, "kind": "train_begin", "resumed_at": resumed_at, "max_steps": 9}


def test_a_resumed_runs_idle_time_is_left_out_and_its_redone_work_counted() -> None:
    events = [begin(0), log(10, 1, loss=3.0), log(20, 2, loss=2.0), begin(500, 1), log(510, 2, loss=2.1)]
    points = placed(events)
    assert curve(points, "loss", "seconds") == [(10, 3.0), (30, 2.1)]
    assert curve(points, "loss", "step") == [(1, 3.0), (2, 2.1)]


def test_points_without_a_count_of_tokens_stand_where_the_last_count_was() -> None:
    evaluated = {"at": 3.0, "kind": "eval", "step": 1, "eval_loss": 1.0}
    points = placed([begin(0), log(1, 1, num_tokens=64), evaluated, {"at": 4.0, "kind": "checkpoint", "step": 1}])
    assert curve(points, "eval_loss", "tokens") == [(64, 1.0)]
    assert metrics(points) == {"num_tokens", "eval_loss"}


def test_a_long_curve_is_thinned_and_keeps_its_last_point() -> None:
    points = placed([begin(0), *(log(step, step, loss=1 / step) for step in range(1, 2001))])
    pairs = curve(points, "loss", "step")
    assert len(pairs) <= 401 and pairs[0] == (1, 1.0) and pairs[-1] == (2000, 1 / 2000)

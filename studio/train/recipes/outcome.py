"""What a run came to, in numbers: read off its events, so that it holds whatever interrupted the run."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from studio.train.events import in_force, series, tokens_until
from studio.train.measures import first_metric, paired
from studio.train.methods import METHODS
from studio.train.recipes.callbacks import Reporter, peak_memory_mb

Events = list[dict[str, Any]]


def summary(reporter: Reporter, method: str, seen: Events, wall_s: float) -> dict[str, Any]:
    """The run's summary; `wall_s` is this attempt's share of the time."""
    trainer, events = reporter.trainer, in_force(seen)
    last, losses = trainer.state.global_step, series(seen, "loss")
    best = trainer.state.best_global_step or last
    fresh = reporter.tokens - reporter.tokens_before
    return {
        "method": method,
        "steps": last,
        "best_step": best,
        "loss": losses[-1][1] if losses else None,
        "best_eval_loss": min((value for at, value in series(seen, "eval_loss") if at), default=None),
        "greedy_exact": _at(series(seen, "eval_greedy_exact"), best),
        "target": target(seen, method, best),
        "golden": golden(events, best),
        "tokens": max(tokens_until(seen, last), reporter.tokens),
        "tokens_per_second": round(fresh / max(wall_s, 1e-6)),
        "wall_s": round(wall_s + earlier_seconds(seen), 1),
        "peak_memory_mb": peak_memory_mb(),
        "device": str(trainer.args.device.type),
        "oom": sum(event["kind"] == "oom" for event in seen),
        "picked": picked(seen),
    }


def target(seen: Events, method: str, best: int) -> dict[str, Any]:
    """What the method is there to move: before the first step, and at the step that was kept."""
    name = METHODS[method].target if method in METHODS else "eval_loss"
    held_out = name if name.startswith("eval_") else f"eval_{name}"
    curve = series(seen, held_out) or series(seen, held_out.removeprefix("eval_"))
    return {"name": name, "before": curve[0][1] if curve else None, "after": _at(curve, best)}


def golden(events: Events, best: int) -> dict[str, Any]:
    """Scores on golden rows before the first step and at the step that was kept, and the difference row by row."""
    told = [event for event in events if event["kind"] == "golden"]
    before = next((event for event in told if event["step"] == 0), None)
    after = next((event for event in reversed(told) if event["step"] == best), None)
    if before is None or after is None:
        return {}
    metric = first_metric(after["scores"])
    difference = paired(after["each"], before["each"]) | {"metric": metric}
    return {"before": before["scores"], "after": after["scores"], "difference": difference}


def picked(seen: Events) -> list[dict[str, Any]]:
    """What the trainer chose by itself and why, each once."""
    chosen = {event["what"]: event["why"] for event in seen if event["kind"] == "picked"}
    return [{"what": what, "why": why} for what, why in chosen.items()]


def earlier_seconds(seen: Events) -> float:
    """Seconds of the attempts before this one, told by their own events."""
    begins = [index for index, event in enumerate(seen) if event["kind"] == "train_begin"]
    return float(sum(seen[later - 1]["at"] - seen[start]["at"] for start, later in pairwise(begins)))


def _at(curve: list[tuple[int, float]], step: int) -> float | None:
    """The value at a step, or the last one before it."""
    return next((value for at, value in reversed(curve) if at <= step), None)

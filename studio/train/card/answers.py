"""Where it fails: sampled answers of the kept step that are not what was expected."""

from __future__ import annotations

from typing import Any

from studio.scoring.exact_match import ExactMatch
from studio.train.events import in_force


def wrong(events: list[dict[str, Any]], summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The sampled answers that differ, as {"prompt", "expected", "answer"}."""
    told = [event for event in in_force(events) if event["kind"] == "sample" and event["expected"]]
    steps = {event["step"] for event in told}
    kept = summary.get("best_step") if summary.get("best_step") in steps else max(steps, default=0)
    exact = ExactMatch()
    return [
        {name: event[name] for name in ("prompt", "expected", "answer")}
        for event in told
        if event["step"] == kept and not _is_right(exact, event)
    ]


def _is_right(exact: ExactMatch, sample: dict[str, Any]) -> bool:
    """Whether a sample is as it should be; a judge's samples say so themselves."""
    if "right" in sample:
        return bool(sample["right"])
    return exact.score(sample["answer"], sample["expected"])["exact_match"] == 1

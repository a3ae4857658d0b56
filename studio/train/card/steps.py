"""What to do next."""

from __future__ import annotations

from typing import Any

from storage.tables import TrainingRun

Step = dict[str, Any]


def following(
    run: TrainingRun,
    summary: dict[str, Any],
    fails: list[dict[str, Any]],
    forgot: dict[str, Any],
    warnings: list[dict[str, Any]],
) -> list[Step]:
    """The next steps, the most pressing first; each a text, a page and, where one click does it, a rule to apply."""
    steps = [_step(each["fix"]["label"] + ".", "train", each["rule"]) for each in warnings]
    if forgot.get("verdict"):
        steps.append(_step(f"{forgot['fix']['label']}, and it forgets less.", "train", "forgot"))
    if not (summary.get("golden") or {}).get("after"):
        steps.append(_step("Confirm golden rows, so that a run can prove itself.", "curate"))
    if fails:
        steps.append(_step("Look at what it gets wrong and correct such rows.", "curate"))
    return [*steps, _last(run, warnings)]


def _last(run: TrainingRun, warnings: list[dict[str, Any]]) -> Step:
    if run.method == "reward":
        return _step("Practise against it: train a model with GRPO and this judge.", "train")
    if warnings:
        return _step("Compare it with the model you use now before you trust it.", "evaluate")
    return _step("Compare it with the model you use now, then deploy the better one.", "evaluate")


def _step(text: str, page: str, rule: str = "") -> Step:
    return {"text": text, "page": page} | ({"rule": rule} if rule else {})

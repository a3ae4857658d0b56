"""Whether the model forgot what it could do before."""

from __future__ import annotations

from typing import Any

from studio.train.card.words import difference, metric, share
from studio.train.failures.case import Case


def forgot(summary: dict[str, Any], plan: dict[str, Any]) -> dict[str, Any]:
    """Base against tuned model on rows that must keep working, and the change that makes it forget less."""
    told = summary.get("keep") or {}
    if not told.get("after"):
        return {"verdict": None, "sentence": ""}
    found = told["difference"]
    name, rows = found["metric"], found["n"]
    before, after = (share(told[when][name]["mean"]) for when in ("before", "after"))
    scores = f"{metric(name)} on {rows} rows to keep: {before} before, {after} after"
    if found["shown"] and found["difference"] < 0:
        sentence = f"It forgot something: {scores}, {difference(found)}."
        return {"verdict": True, "sentence": sentence, "difference": found, "fix": _gentler(plan)}
    if found["low"] < -0.1:
        sentence = f"Too few rows to tell whether it forgot: {scores}, {difference(found)}."
        return {"verdict": None, "sentence": sentence, "difference": found}
    return {"verdict": False, "sentence": f"It did not forget: {scores}, {difference(found)}.", "difference": found}


def _gentler(plan: dict[str, Any]) -> dict[str, Any]:
    case = Case.of(None, [], "", plan)
    passes, rate = case.value("num_train_epochs", 2), case.value("learning_rate", 1e-4)
    change = {"num_train_epochs": max(0.1, round(passes / 2, 2)), "learning_rate": float(f"{rate / 2:.2g}")}
    label = f"Train {change['num_train_epochs']:g} passes with learning rate {change['learning_rate']:g}"
    return {"label": label, "overrides": change, "resume": False, "page": ""}

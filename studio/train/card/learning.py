"""What was learned, and whether by heart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.train.card.words import between, difference, metric, number, share
from studio.train.events import series
from studio.train.measures import interval

TARGETS = {
    "eval_loss": "Loss on held-out rows",
    "rewards/accuracies": "Held-out pairs where the better answer is preferred",
    "rewards/margins": "Distance between wanted and unwanted held-out answers",
    "accuracy": "Held-out pairs that it judges as people did",
    "reward": "Reward on held-out prompts",
}
SHARES = ("rewards/accuracies", "accuracy")
Events = list[dict[str, Any]]


def golden(summary: dict[str, Any]) -> Iterator[str]:
    """What golden rows say, which no step learned from and no choice was made by."""
    told = summary.get("golden") or {}
    if not told.get("after"):
        return
    found, before, after = told["difference"], told["before"], told["after"]
    name, rows = found["metric"], f"{found['n']} golden rows"
    if found["shown"]:
        better = "better" if found["difference"] > 0 else "worse"
        moved = f"from {share(before[name]['mean'])} to {between(after[name])}"
        yield f"It answers {better}: {metric(name)} on {rows} {moved}."
    else:
        yield (
            f"On {rows} nothing shows that it answers better: {metric(name)} from {share(before[name]['mean'])} to "
            f"{between(after[name])}, {difference(found)}."
        )
    for other in (each for each in after if each != name and each in before):
        yield f"{metric(other).capitalize()}: from {share(before[other]['mean'])} to {between(after[other])}."


def target(summary: dict[str, Any]) -> Iterator[str]:
    """How far the number moved that the method is there to move."""
    told = summary.get("target") or {}
    name, before, after = told.get("name", ""), told.get("before"), told.get("after")
    if before is None or after is None:
        return
    say = share if name in SHARES else number
    lower = name.endswith("loss")
    moved = after < before if lower else after > before
    verdict = "" if moved else " It did not move the way it should."
    yield f"{TARGETS.get(name, name)}: from {say(before)} to {say(after)}.{verdict}"


def held_out(summary: dict[str, Any], events: Events) -> Iterator[str]:
    """Wholly right answers among the held-out rows; the step was chosen by them, so they flatter a little."""
    exact, rows = summary.get("greedy_exact"), rows_watched(events)
    if exact is None:
        return
    if not rows:
        yield f"Wholly right on held-out rows: {share(exact)}."
        return
    right = round(exact * rows)
    told = interval([1.0] * right + [0.0] * (rows - right))
    caution = "The best step was chosen by these, so they flatter a little."
    yield f"Wholly right on {rows} held-out rows: {between(told)}. {caution}"


def overfit(summary: dict[str, Any], events: Events, warnings: list[dict[str, Any]]) -> dict[str, Any]:
    """Whether it went past its best point, and what was kept."""
    watched, learned = series(events, "eval_loss"), series(events, "loss")
    best, last = summary.get("best_step"), summary.get("steps")
    if len(watched) < 2 or not learned:
        return {"verdict": None, "sentence": "Nothing was held out, so overfitting cannot be seen."}
    found = next((each for each in warnings if each["rule"] == "overfit"), None)
    facts = {"best_step": best, "last_step": last, "train_loss": learned[-1][1], "eval_loss": watched[-1][1]}
    if found is None:
        losses = f"held-out loss {number(watched[-1][1])} at the end, training loss {number(learned[-1][1])}"
        return {"verdict": False, "sentence": f"No sign of learning by heart: {losses}.", **facts}
    kept = f" Step {best} was kept, of {last}." if best and last and best < last else ""
    return {"verdict": True, "sentence": f"{found['cause']} {found['evidence']}{kept}", **facts, "fix": found["fix"]}


def rows_watched(events: Events) -> int:
    """How many rows an evaluation looks at."""
    return next((int(event["rows"]) for event in events if event["kind"] == "eval" and event.get("rows")), 0)

"""The numbers ran away, do not move, or move the wrong way."""

from __future__ import annotations

import math
from statistics import mean

from studio.train.failures.case import Case, Failure

FEWEST_POINTS = 6
BARELY, WORSE = 0.02, 1.5
"""A loss that fell by less than this share did not fall; one this many times its lowest went up."""
JUMP, SMALL_LOSS = 2.0, 0.5
"""A loss this many times the untrained model's jumped; losses below the second number swing like that by chance."""
GAP, NOISE = 1.1, 0.02
"""A held-out loss this many times its lowest, and this much higher, has turned up; below that it is noise."""
LOWEST_RATE, HIGHEST_RATE = 1e-7, 0.1


def not_a_number(case: Case) -> Failure | None:
    """The run stopped itself because a gradient was not finite."""
    told = case.told("nan")
    if not told and "Diverged" not in case.types and not case.line(r"^Diverged:", "no longer a number"):
        return None
    step = told[-1]["step"] if told else case.last_step
    kept = told[-1]["last_good"] if told else 0
    saved = f" The checkpoint of step {kept} is unharmed." if kept else ""
    cause = "The loss was no longer a number: the steps were too big for this model."
    return Failure("not_a_number", cause, f"At step {step}.{saved}", *_slower(case, 10))


def loss_exploded(case: Case) -> Failure | None:
    """The loss ended far above where it had been, or above what the untrained model scored."""
    values, start = _losses(case), _untrained(case)
    if not values or (start is None and len(values) < FEWEST_POINTS):
        return None
    first, lowest = values[0] if start is None else start, min([*values, *([start] if start else [])])
    last, held_out = mean(values[-3:]), [value for _step, value in case.curve("eval_loss")][-1:]
    if lowest <= 0 or last <= first * (1 - BARELY):
        return None
    risen = last > WORSE * max(lowest, BARELY) or (start is not None and held_out[0] > WORSE * start)
    if not risen:
        return None
    watched = f", on held-out rows at {held_out[0]:.3g}" if start is not None else ""
    evidence = f"The loss began at {first:.3g}, was {lowest:.3g} at its lowest and ended at {last:.3g}{watched}."
    return Failure("loss_exploded", "The loss went up: the learning rate is too high.", evidence, *_slower(case, 3))


def loss_jumped(case: Case) -> Failure | None:
    """The loss shot far above the untrained model's and came back: much of the run only mended the harm."""
    values = _losses(case)
    start = _untrained(case) or (values[0] if len(values) >= FEWEST_POINTS else None)
    if start is None or start <= 0 or len(values) < 2 or loss_exploded(case):
        return None
    window = max(2, len(values) // 10)
    peak = max(mean(values[at : at + window]) for at in range(len(values) - window + 1))
    if peak <= JUMP * max(start, SMALL_LOSS):
        return None
    evidence = f"The loss began at {start:.3g}, rose to {max(values):.3g} and ended at {values[-1]:.3g}."
    cause = "The first steps undid what the base could do: the learning rate is too high."
    return Failure("loss_jumped", cause, evidence, *_slower(case, 10))


def loss_stuck(case: Case) -> Failure | None:
    """The training loss ended where it began."""
    values = _losses(case)
    if len(values) < FEWEST_POINTS:
        return None
    first, last = mean(values[:3]), mean(values[-3:])
    if not first > 0 or abs(first - last) > BARELY * first or max(values) > WORSE * first:
        return None
    rate = min(HIGHEST_RATE, 3 * case.value("learning_rate", 1e-4))
    evidence = f"The loss began at {first:.3g} and ended at {last:.3g}."
    cause = "The loss hardly fell: the learning rate is too low, or there were too few steps."
    return Failure("loss_stuck", cause, evidence, f"Train with learning rate {rate:.2g}", {"learning_rate": rate})


def overfit(case: Case) -> Failure | None:
    """The held-out loss turned up while the training loss went on falling."""
    watched, learned = case.curve("eval_loss"), case.curve("loss")
    if len(watched) < 3 or len(learned) < FEWEST_POINTS:
        return None
    lowest, at = min((value, step) for step, value in watched)
    last = watched[-1][1]
    before = [value for step, value in learned if step <= max(at, learned[0][0])]
    if lowest <= 0 or last <= max(GAP * lowest, lowest + NOISE) or mean([v for _s, v in learned[-3:]]) >= before[-1]:
        return None
    passes = _passes(case, at)
    evidence = f"Held-out loss {lowest:.3g} at step {at}, {last:.3g} at the end, while the training loss fell on."
    cause = "After its best point the model learned your rows by heart instead of the task."
    label = f"Train {passes:g} passes over the data" if passes else "Train fewer passes over the data"
    return Failure("overfit", cause, evidence, label, {"num_train_epochs": passes} if passes else {})


def preferences_collapsed(case: Case) -> Failure | None:
    """Preference training made the better answers unlikely too, and the text with them.

    A collapsed run looks perfect otherwise: accuracy 1 and a growing margin.
    """
    chosen, doubt = case.curve("eval_rewards/chosen"), case.curve("eval_entropy")
    if len(chosen) < 2 or len(doubt) < 2 or not chosen[-1][1] < 0 or not doubt[-1][1] > WORSE * doubt[0][1]:
        return None
    evidence = (
        f"Reward of the better answers {chosen[-1][1]:.2f} (below 0), "
        f"doubt (entropy) from {doubt[0][1]:.2f} to {doubt[-1][1]:.2f}."
    )
    cause = "The model was pushed so far from the worse answers that it forgot how to write the better ones."
    label, change = _slower(case, 3)
    return Failure("preferences_collapsed", cause, evidence, label, change)


def target_unmoved(case: Case) -> Failure | None:
    """What the method is there to move on held-out rows did not move, though nothing else looks wrong."""
    name, before, after = (case.target.get(each) for each in ("name", "before", "after"))
    if before is None or after is None:
        return None
    is_loss = str(name).endswith("loss")
    if after < before * (1 - BARELY) if is_loss else after > before or before >= 1:
        return None
    if any(rule(case) for rule in (preferences_collapsed, loss_exploded, loss_jumped, loss_stuck, overfit)):
        return None
    cause = "Held-out rows show no gain: too little was learned, or it does not carry over to rows it has not seen."
    return Failure("target_unmoved", cause, f"Before {before:.3g}, after {after:.3g}.", "Add rows", page="curate")


def _losses(case: Case) -> list[float]:
    return [value for _step, value in case.curve("loss") if math.isfinite(value)]


def _untrained(case: Case) -> float | None:
    """The held-out loss before the first step, where it can be compared with."""
    found = case.curve("eval_loss")[:1]
    return found[0][1] if found and found[0][0] == 0 and found[0][1] > 0 else None


def _slower(case: Case, times: int) -> tuple[str, dict[str, float]]:
    rate = max(LOWEST_RATE, float(f"{case.value('learning_rate', 1e-4) / times:.2g}"))
    return f"Train with learning rate {rate:.2g}", {"learning_rate": rate}


def _passes(case: Case, step: int) -> float:
    planned, steps = case.value("num_train_epochs"), max((e.get("max_steps") or 0 for e in case.events), default=0)
    return max(0.1, round(planned * step / steps, 2)) if planned and steps and step else 0.0

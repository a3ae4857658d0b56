"""What only some methods have: how strongly to prefer, how often to try, and what is rewarded."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from studio.train.methods import Method
from studio.train.plan import Choice, Situation

BETAS = {
    "dpo": "How closely the model stays to what it was: 0.1 moves it without letting the text collapse.",
    "ipo": "How far apart better and worse should be; small moves further.",
    "kto": "How closely the model stays to what it was.",
    "orpo": "How much the preference counts beside learning the better answer.",
    "cpo": "How sharply better and worse are told apart.",
    "simpo": "How sharply better and worse are told apart; SimPO wants it high, for it compares averages per token.",
    "grpo": "No pull back to the start: the check itself keeps answers in shape, and no second model is needed.",
}
DPO_LOSS = "DPO's loss, and SFT on the better answer beside it: with DPO alone, text collapsed at the same margins."
REWARDS = ({"name": "exact_match", "weight": 1.0}, {"name": "valid_json", "weight": 0.2})
ANSWER_ROOM = 1.25


def choices(situation: Situation, method: Method) -> Iterator[Choice]:
    """The values that this method has beyond those of every method."""
    if method.name in BETAS:
        yield Choice("beta", "Strength of preference", method.keys["beta"], BETAS[method.name], method.source)
    if method.name == "dpo":
        yield Choice("loss_type", "Loss", method.keys["loss_type"], DPO_LOSS, "measured; Pang et al. 2024")
    if method.name == "kto":
        yield from _sides(situation)
    if method.name == "grpo":
        yield from _practice(situation)
    if method.name == "distil":
        newest = "The newest model of a provider in this project; choose the one whose answers you want."
        yield Choice("teacher_model_id", "Teacher", situation.teacher_id, newest, "studio")


def _sides(situation: Situation) -> Iterator[Choice]:
    """Weights that let the rarer kind of judgement count as much as the other."""
    wanted, unwanted = situation.judged or (1, 1)
    ratio = max(wanted, 1) / max(unwanted, 1)
    up, down = (round(min(1 / ratio, 10), 2), 1.0) if ratio < 1 else (1.0, round(min(ratio, 10), 2))
    reason = f"{wanted:,} wanted and {unwanted:,} unwanted answers; the rarer kind counts more, so both weigh alike."
    yield Choice("desirable_weight", "Weight of wanted answers", up, reason, "TRL, KTO Trainer")
    yield Choice("undesirable_weight", "Weight of unwanted answers", down, reason, "TRL, KTO Trainer")


def _practice(situation: Situation) -> Iterator[Choice]:
    quick = situation.shape.is_tiny or bool(situation.machine.gpu)
    tries = 8 if quick else 4
    reason = "Answers are compared with one another, so there must be several." + ("" if quick else " Few, for a CPU.")
    yield Choice("num_generations", "Tries per prompt", tries, reason, "TRL, GRPO Trainer")
    longest = situation.answers.longest if situation.answers else 64
    room = max(16, ceil(longest * ANSWER_ROOM / 8) * 8)
    fits = f"Your longest answer has about {longest} tokens; a quarter more leaves room to differ."
    yield Choice("max_completion_length", "Longest try", room, fits, "your data")
    yield Choice("temperature", "Temperature", 1.0, "Tries must differ to be compared.", "TRL, GRPO Trainer")
    what = "Right answers count most, and readable ones a little, so that there is a first step to climb."
    yield Choice("rewards", "What is rewarded", [dict(each) for each in REWARDS], what, "measured")

"""What is trained: an adapter or every weight, its rank, its strength and where it sits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.train.methods import Method
from studio.train.plan import Choice, Situation

REGRET = "TRL, LoRA without regret"
KINDS = {
    "lora": "An adapter learns nearly as well as training every weight on data of this size, with less memory.",
    "rslora": "An adapter scaled for high ranks, which plain LoRA dampens.",
    "dora": "An adapter that learns direction and size apart: a little better at low ranks, slower.",
    "qlora": "The base held in four bits below an adapter: fits where nothing else does.",
    "full": "Every weight learns: most memory, and a smaller learning rate.",
}
SOURCES = {
    "lora": REGRET,
    "rslora": "Kalajdzievski 2023, rsLoRA",
    "dora": "Liu et al. 2024, DoRA",
    "qlora": "Dettmers et al. 2023, QLoRA",
    "full": REGRET,
}


def choices(situation: Situation, preset: str, method: Method, chosen: dict[str, Any]) -> Iterator[Choice]:
    """What is trained, and for an adapter its rank, strength, dropout and place."""
    kind = chosen.get("training", "lora")
    yield Choice("training", "What is trained", "lora", KINDS["lora"], SOURCES["lora"])
    if kind == "full":
        return
    rank = rank_choice(situation, preset, method)
    yield rank
    twice = 2 * chosen.get("lora_r", rank.value)
    yield Choice("lora_alpha", "Adapter strength", twice, "Twice the rank: the usual strength.", "Unsloth, TRL")
    yield Choice("lora_dropout", "Adapter dropout", 0.0, "Stopping early guards against learning by heart.", "Together")
    where = "All linear layers: what comes closest to training every weight."
    yield Choice("lora_target_modules", "Where the adapter sits", "all-linear", where, REGRET)


def rank_choice(situation: Situation, preset: str, method: Method) -> Choice:
    """The rank that rows of this number need."""
    label = "Adapter rank"
    if situation.shape.is_tiny:
        return Choice("lora_r", label, 16, "Enough for a tiny model.", "measured")
    if method.name == "grpo":
        return Choice("lora_r", label, 8, "Rewards carry little information a step; a low rank holds it.", REGRET)
    rank = 8 if situation.rows < 500 else 16 if situation.rows < 5000 else 32
    reason = f"{situation.rows:,} rows need no more room to be learned"
    return Choice("lora_r", label, rank * (2 if preset == "best" else 1), f"{reason}.", "Tinker, Unsloth guides")

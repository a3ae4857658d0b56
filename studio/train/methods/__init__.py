"""The ways to learn: what each one needs, what it is for, and which TRL trainer carries it out. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from studio.errors import InvalidInput

Wants = Literal["rows", "pairs", "judged", "prompts"]


@dataclass(frozen=True)
class Need:
    """What a method learns from, and how much of it."""

    what: Wants
    """rows (prompt and answer), pairs (a better and a worse answer), judged (wanted or not), prompts (to try out)."""
    least: int
    wanted: int
    page: str
    """The page that makes more of it."""
    how: str
    """What to do there."""


@dataclass(frozen=True)
class Method:
    """One way to learn."""

    name: str
    label: str
    about: str
    """One sentence for somebody who never trained a model."""
    need: Need
    trainer: str
    """Name in `recipes.trainers.TRAINERS`."""
    target: str
    """The logged number that the method is there to move; lower is better when it ends in `loss`."""
    command: str
    """What runs the recipe without the studio."""
    source: str
    """The paper or document that the method comes from."""
    keys: dict[str, Any] = field(default_factory=dict)
    """Recipe keys that make the trainer this method."""
    makes: Literal["tuned", "reward"] = "tuned"
    stage: Literal["first", "after"] = "first"
    """after: works best on a model that SFT already taught the task."""
    experimental: bool = False
    """TRL keeps it under `trl.experimental`: it may change with TRL's next version."""


ROWS = Need("rows", 1, 100, "curate", "add examples and freeze a new version")
PAIRS = Need("pairs", 8, 200, "label", "rank or correct more answers, then freeze a new version")
JUDGED = Need("judged", 16, 200, "improve", "collect more thumbs up and down, then freeze a new version")
PROMPTS = Need("prompts", 8, 100, "curate", "add examples and freeze a new version")

ALL = (
    Method(
        "sft",
        "Learn the answers",
        "Learn to give the answers in your data. Where every model starts.",
        ROWS,
        "sft",
        "eval_loss",
        "trl sft",
        "TRL, SFT Trainer",
    ),
    Method(
        "distil",
        "Learn from a bigger model",
        "A bigger model answers your prompts again, and the small one learns its answers.",
        Need("prompts", 1, 200, "curate", "add prompts and freeze a new version"),
        "sft",
        "eval_loss",
        "trl sft",
        "Kim & Rush 2016, Sequence-Level Knowledge Distillation",
    ),
    Method(
        "dpo",
        "Prefer the better answer (DPO)",
        "Learn to prefer the answers that people ranked or corrected, over the ones they replaced.",
        PAIRS,
        "dpo",
        "rewards/accuracies",
        "trl dpo",
        "Rafailov et al. 2023, Direct Preference Optimization",
        {"beta": 0.1, "loss_type": ["sigmoid", "sft"]},
        stage="after",
    ),
    Method(
        "ipo",
        "Prefer, gently (IPO)",
        "DPO with a loss that cannot run away when people always agree.",
        PAIRS,
        "dpo",
        "rewards/accuracies",
        "trl dpo",
        "Azar et al. 2023, A General Theoretical Paradigm to Understand Learning from Human Preferences",
        {"beta": 0.1, "loss_type": ["ipo"]},
        stage="after",
    ),
    Method(
        "kto",
        "Learn from thumbs (KTO)",
        "Learn from thumbs up and down as your users gave them; no pairs needed.",
        JUDGED,
        "kto",
        "rewards/margins",
        "trl kto",
        "Ethayarajh et al. 2024, KTO: Model Alignment as Prospect Theoretic Optimization",
        {"beta": 0.1},
        stage="after",
    ),
    Method(
        "orpo",
        "Learn and prefer at once (ORPO)",
        "Learn the better answers and avoid the worse ones in one pass, without a reference model.",
        PAIRS,
        "orpo",
        "rewards/accuracies",
        "",
        "Hong et al. 2024, ORPO: Monolithic Preference Optimization without Reference Model",
        {"beta": 0.1},
        experimental=True,
    ),
    Method(
        "cpo",
        "Prefer, with less memory (CPO)",
        "Like DPO without a second copy of the model in memory.",
        PAIRS,
        "cpo",
        "rewards/accuracies",
        "",
        "Xu et al. 2024, Contrastive Preference Optimization",
        {"beta": 0.1, "loss_type": "sigmoid", "cpo_alpha": 1.0},
        stage="after",
        experimental=True,
    ),
    Method(
        "simpo",
        "Prefer by length-fair likelihood (SimPO)",
        "Prefers the better answer whatever its length; no reference model.",
        PAIRS,
        "cpo",
        "rewards/accuracies",
        "",
        "Meng et al. 2024, SimPO: Simple Preference Optimization with a Reference-Free Reward",
        {"beta": 2.0, "loss_type": "simpo", "cpo_alpha": 0.0, "simpo_gamma": 0.5},
        stage="after",
        experimental=True,
    ),
    Method(
        "reward",
        "Learn to judge (reward model)",
        "Learn a score that agrees with people's rankings; it judges answers, it does not write them.",
        PAIRS,
        "reward",
        "accuracy",
        "trl reward",
        "Ouyang et al. 2022, Training language models to follow instructions with human feedback",
        makes="reward",
    ),
    Method(
        "grpo",
        "Practise against a check (GRPO)",
        "The model tries several answers per prompt and learns from how a check of yours scores them.",
        PROMPTS,
        "grpo",
        "reward",
        "",
        "Shao et al. 2024, DeepSeekMath (GRPO)",
        {"num_generations": 4, "beta": 0.0},
        stage="after",
    ),
)
METHODS: dict[str, Method] = {each.name: each for each in ALL}


def method(name: str) -> Method:
    """The method with this name. Raises InvalidInput naming those there are."""
    found = METHODS.get(name)
    if found is None:
        raise InvalidInput(f"There is no training method {name!r}. Choose among: {', '.join(METHODS)}.")
    return found

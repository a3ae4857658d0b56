"""A plan: what Train will do and why, what it will take, and the recipe that carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from studio.train import writing
from studio.train.estimate import Estimate, Speed
from studio.train.lengths import Lengths
from studio.train.machine import Machine
from studio.train.methods import Method, method
from studio.train.shape import ModelShape

UNITS = {"rows": "examples", "pairs": "pairs", "judged": "judged answers", "prompts": "prompts"}
KINDS = {
    "lora": "an adapter (LoRA)",
    "rslora": "an adapter (rsLoRA)",
    "dora": "an adapter (DoRA)",
    "qlora": "an adapter on a four-bit base (QLoRA)",
    "full": "every weight",
}


@dataclass(frozen=True)
class Choice:
    """One value of the plan."""

    name: str
    label: str
    value: Any
    reason: str
    source: str


@dataclass(frozen=True)
class Situation:
    """What a plan is made for."""

    shape: ModelShape
    base: str
    rows: int
    """Rows to train on, held-out ones not counted."""
    held_out: int
    lengths: Lengths
    machine: Machine
    speed: Speed | float | None = None
    """Tokens per second measured in a rehearsal or (a plain number) on an earlier run, if there was one."""
    answers: Lengths | None = None
    """Lengths of the answers alone."""
    judged: tuple[int, int] | None = None
    """Wanted and unwanted answers, where answers were judged."""
    teacher_id: str = ""
    """A provider's model of the project, the newest: what distillation learns from unless told otherwise."""
    tuned_before: bool = False
    """It starts from a model that already learned the task."""
    golden: int = 0
    """Golden rows that are watched beside the run."""
    price_per_hour: float | None = None
    """USD of an hour on this machine, where somebody set it."""


@dataclass(frozen=True)
class Plan:
    """What Train will do, why, and what it will take."""

    preset: str
    method: str
    situation: Situation
    values: tuple[Choice, ...]
    estimate: Estimate

    def value(self, name: str) -> Any:
        """The value chosen for `name`; None when this plan has no such value."""
        return next((choice.value for choice in self.values if choice.name == name), None)

    @property
    def named(self) -> dict[str, Any]:
        """Every value by its name."""
        return {choice.name: choice.value for choice in self.values}

    @property
    def way(self) -> Method:
        """The method."""
        return method(self.method)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        limit: int | None = self.value("max_steps")
        tries: int = self.value("num_generations") or 1
        wanted: int = ceil(self.value("num_train_epochs") * self.situation.rows * tries / self.value("batch_size"))
        return max(1, min(wanted, limit) if limit else wanted)

    @property
    def sentence(self) -> str:
        """The plan in one sentence."""
        rows, base = self.situation.rows, self.situation.base
        watched = f", watched on {self.situation.held_out} it never learns from" if self.situation.held_out else ""
        how = f"training {KINDS[self.value('training')]}, on {self.situation.machine.place}"
        return f"{_VERBS.get(self.method, 'Teach')} {base} your {rows:,} {UNITS[self.way.need.what]}{watched}, {how}."

    @property
    def caution(self) -> str:
        """What speaks against this method on this base; empty when nothing does."""
        if self.way.stage == "first" or self.situation.tuned_before:
            return ""
        return f"{self.way.label} works best on a model that already learned the answers: train or chain that first."

    def recipe(self) -> dict[str, Any]:
        """The recipe that carries the plan out: exactly what `trl <method> --config` accepts."""
        here = self.situation
        return writing.recipe_of(
            self.named,
            self.way,
            self.steps,
            has_held_out=here.held_out > 0,
            gpu=bool(here.machine.gpu),
            tiny=here.shape.is_tiny,
        )

    def studio(self) -> dict[str, Any]:
        """What only the studio reads of the plan."""
        return writing.studio_of(self.named, self.way, self.preset)

    def facts(self) -> dict[str, Any]:
        """What a run keeps of its plan, to be compared with what happened."""
        values = [dict(vars(choice)) for choice in self.values]
        return {"estimate": self.estimate.to_dict(), "values": values, "sentence": self.sentence, "steps": self.steps}


_VERBS = {"grpo": "Let practise", "reward": "Teach to judge"}

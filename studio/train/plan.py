"""A plan: what Train will do and why, what it will take, and the recipe that carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from studio.train import recipe
from studio.train.estimate import Estimate
from studio.train.lengths import Lengths
from studio.train.machine import Machine
from studio.train.shape import ModelShape

EVALUATIONS = 6


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
    speed: float | None = None
    """Tokens per second measured on an earlier run, if there was one."""


@dataclass(frozen=True)
class Plan:
    """What Train will do, why, and what it will take."""

    preset: str
    method: str
    situation: Situation
    values: tuple[Choice, ...]
    estimate: Estimate

    def value(self, name: str) -> Any:
        """The value chosen for `name`."""
        return next(choice.value for choice in self.values if choice.name == name)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole run."""
        limit: int | None = self.value("max_steps")
        wanted: int = ceil(self.value("num_train_epochs") * self.situation.rows / self.value("batch_size"))
        return max(1, min(wanted, limit) if limit else wanted)

    @property
    def sentence(self) -> str:
        """The plan in one sentence."""
        rows, base = self.situation.rows, self.situation.base
        how = "an adapter (LoRA)" if self.value("training") == "lora" else "every weight"
        watched = f", watched on {self.situation.held_out} it never learns from" if self.situation.held_out else ""
        return f"Teach {base} your {rows:,} examples{watched}, training {how}, on {self.situation.machine.place}."

    def recipe(self) -> dict[str, Any]:
        """The recipe that carries the plan out: exactly what `trl sft --config` accepts."""
        per_step, every = _micro_batch(self), max(1, self.steps // EVALUATIONS)
        return {
            "model_name_or_path": recipe.BASE,
            "dataset_name": recipe.DATA,
            "output_dir": recipe.OUTPUT,
            **_length_of_run(self),
            "per_device_train_batch_size": per_step,
            "gradient_accumulation_steps": self.value("batch_size") // per_step,
            "per_device_eval_batch_size": max(per_step, 32 if self.situation.shape.is_tiny else 1),
            "learning_rate": self.value("learning_rate"),
            "lr_scheduler_type": "linear",
            "warmup_steps": 0.08,
            "adam_beta2": 0.95,
            "weight_decay": 0.0,
            "max_length": self.value("max_length"),
            "train_sampling_strategy": self.value("order"),
            "seed": self.value("seed"),
            "data_seed": self.value("seed"),
            "logging_steps": max(1, self.steps // 60),
            **_watching(every, self.situation.held_out > 0),
            **_device(self.situation),
            **_adapter(self),
            "report_to": "none",
            "disable_tqdm": True,
        }


def _micro_batch(plan: Plan) -> int:
    """Rows in memory at once: the whole batch of a tiny model, two of a bigger one (the rest by accumulation)."""
    wanted: int = plan.value("batch_size")
    return wanted if plan.situation.shape.is_tiny or wanted % 2 else min(wanted, 2)


def _length_of_run(plan: Plan) -> dict[str, Any]:
    epochs = {"num_train_epochs": plan.value("num_train_epochs")}
    return epochs | ({"max_steps": plan.value("max_steps")} if plan.value("max_steps") else {})


def _watching(every: int, has_held_out: bool) -> dict[str, Any]:
    saving = {"save_strategy": "steps", "save_steps": every, "save_total_limit": 2}
    if not has_held_out:
        return saving | {"eval_strategy": "no"}
    best = {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": False}
    return saving | {"eval_strategy": "steps", "eval_steps": every} | best


def _device(situation: Situation) -> dict[str, Any]:
    on_gpu = bool(situation.machine.gpu)
    return {
        "dtype": "bfloat16" if on_gpu else "float32",
        "bf16": on_gpu,
        "use_cpu": not on_gpu,
        "dataloader_pin_memory": on_gpu,
        "activation_checkpointing": not situation.shape.is_tiny,
    }


def _adapter(plan: Plan) -> dict[str, Any]:
    if plan.value("training") != "lora":
        return {"use_peft": False}
    rank = plan.value("lora_r")
    return {
        "use_peft": True,
        "lora_r": rank,
        "lora_alpha": 2 * rank,
        "lora_dropout": 0.0,
        "lora_target_modules": ["all-linear"],
    }

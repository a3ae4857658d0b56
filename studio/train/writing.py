"""From chosen values to the files of a run, and back: recipe.yaml for TRL, studio.json for the studio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.train import recipe
from studio.train.methods import Method

EVALUATIONS = 6
EVAL_BATCH = {True: 32, False: 8}
"""By whether the model is tiny."""
TARGETS = {
    "all-linear": ["all-linear"],
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "mlp": ["gate_proj", "up_proj", "down_proj"],
}
"""What a name of ours for a place of the adapter stands for."""
KIND_KEYS: dict[str, dict[str, Any]] = {
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "qlora": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "use_bnb_nested_quant": True},
}
AS_IT_IS = ("learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay", "max_grad_norm")
OWN = (
    *("beta", "loss_type", "desirable_weight", "undesirable_weight"),
    *("num_generations", "max_completion_length", "temperature"),
)
STUDIO_KEYS = ("task", "rewards", "patience", "samples", "every_turn", "keep_version_id", "teacher_model_id")
Values = Mapping[str, Any]


def recipe_of(
    values: Values, method: Method, steps: int, *, has_held_out: bool, gpu: bool, tiny: bool
) -> dict[str, Any]:
    """The recipe that carries the values out: exactly what `trl <method> --config` accepts."""
    return {
        **recipe.PATHS,
        **_length_of_run(values),
        **_batches(values, method, tiny),
        **{name: values[name] for name in AS_IT_IS},
        "adam_beta2": 0.95,
        **_rows(values, method),
        "seed": values["seed"],
        "data_seed": values["seed"],
        "logging_steps": max(1, steps // 60),
        **_watching(max(1, steps // EVALUATIONS), has_held_out),
        **_device(gpu, bool(values["checkpointing"])),
        **_adapter(values, method),
        **method.keys,
        **{name: values[name] for name in OWN if values.get(name) is not None},
        "report_to": values["report_to"],
        "disable_tqdm": True,
    }


def studio_of(values: Values, method: Method, preset: str) -> dict[str, Any]:
    """The keys that only the studio reads."""
    own = {name: values[name] for name in STUDIO_KEYS if values.get(name) is not None}
    room = values.get("max_completion_length")
    return {"method": method.name, "trainer": method.trainer, "preset": preset, **own} | (
        {"max_new_tokens": room} if room else {}
    )


def values_of(found: dict[str, Any], studio: dict[str, Any]) -> dict[str, Any]:
    """The overrides that give this recipe again: what a clone starts from."""
    batch, micro = int(found.get("gradient_accumulation_steps", 1)), int(found.get("per_device_train_batch_size", 8))
    same = (*AS_IT_IS, *OWN, "num_train_epochs", "max_steps", "max_length", "seed", "packing", "report_to")
    values = {name: found[name] for name in same if found.get(name) is not None}
    values |= {"batch_size": batch * micro, "micro_batch": micro, "training": _kind(found)}
    values |= {name: found[name] for name in ("lora_r", "lora_alpha", "lora_dropout") if name in found}
    if targets := found.get("lora_target_modules"):
        values["lora_target_modules"] = next((name for name, full in TARGETS.items() if full == targets), targets)
    if "activation_checkpointing" in found:
        values["checkpointing"] = found["activation_checkpointing"]
    if order := found.get("train_sampling_strategy"):
        values["order"] = order
    return values | {name: studio[name] for name in STUDIO_KEYS if studio.get(name)}


def modules(given: str | list[str]) -> list[str]:
    """Module names: a name of ours stands for several."""
    return given if isinstance(given, list) else TARGETS.get(given, [given])


def _kind(found: dict[str, Any]) -> str:
    if not found.get("use_peft"):
        return "full"
    kinds = {"load_in_4bit": "qlora", "use_dora": "dora", "use_rslora": "rslora"}
    return next((kind for key, kind in kinds.items() if found.get(key)), "lora")


def _length_of_run(values: Values) -> dict[str, Any]:
    epochs = {"num_train_epochs": values["num_train_epochs"]}
    return epochs | ({"max_steps": values["max_steps"]} if values["max_steps"] else {})


def evaluated_at_once(values: Values, tiny: bool) -> int:
    """Rows, or tried answers, of an evaluation that are in memory at once."""
    micro, tries = values["micro_batch"], values.get("num_generations") or 1
    return int(max(max(micro, EVAL_BATCH[tiny]) // tries, 1) * tries)


def _batches(values: Values, method: Method, tiny: bool) -> dict[str, Any]:
    micro = values["micro_batch"]
    return {
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": values["batch_size"] // micro,
        "per_device_eval_batch_size": evaluated_at_once(values, tiny),
    }


def _rows(values: Values, method: Method) -> dict[str, Any]:
    """Random order is TRL's own; unnamed, it leaves the trainer free to choose a quicker one."""
    found: dict[str, Any] = {} if method.name == "grpo" else {"max_length": values["max_length"]}
    if values.get("order") == "group_by_length":
        found["train_sampling_strategy"] = "group_by_length"
    if values.get("packing") is not None and method.trainer == "sft":
        found["packing"] = values["packing"]
    return found


def _watching(every: int, has_held_out: bool) -> dict[str, Any]:
    saving = {"save_strategy": "steps", "save_steps": every, "save_total_limit": 2}
    if not has_held_out:
        return saving | {"eval_strategy": "no"}
    best = {"load_best_model_at_end": True, "metric_for_best_model": "eval_loss", "greater_is_better": False}
    return saving | {"eval_strategy": "steps", "eval_steps": every} | best


def _device(gpu: bool, checkpointing: bool) -> dict[str, Any]:
    return {
        "dtype": "bfloat16" if gpu else "float32",
        "bf16": gpu,
        "use_cpu": not gpu,
        "dataloader_pin_memory": gpu,
        "activation_checkpointing": checkpointing,
    }


def _adapter(values: Values, method: Method) -> dict[str, Any]:
    kind = values["training"]
    if kind == "full":
        return {"use_peft": False}
    found = {
        "use_peft": True,
        "lora_r": values["lora_r"],
        "lora_alpha": values["lora_alpha"],
        "lora_dropout": values["lora_dropout"],
        "lora_target_modules": modules(values["lora_target_modules"]),
    }
    scored = {"lora_task_type": "SEQ_CLS"} if method.makes == "reward" else {}
    return found | scored | KIND_KEYS.get(kind, {})

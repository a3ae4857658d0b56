"""Axolotl: one config.yml and a JSONL per split."""

from __future__ import annotations

from functools import partial
from typing import Any

import yaml

from studio.errors import InvalidInput
from studio.train.takeaway.families import family_of
from studio.train.takeaway.lines import Line, Shape, in_turn, lost, rows_of, shaped, uses_tools
from studio.train.takeaway.port import RECIPE_DEFAULTS, BundleInput, Files, refuse_unless_able
from studio.train.takeaway.readme import readme
from studio.train.takeaway.taken import Taken

KTO_TYPES = {"chatml": "chatml.argilla_chat", "llama3": "llama3.argilla_chat"}
RL = {"dpo": "dpo", "ipo": "dpo", "kto": "kto", "orpo": "orpo", "simpo": "simpo"}


class Axolotl:
    """Axolotl's YAML."""

    name, label = "axolotl", "Axolotl"
    methods: tuple[str, ...] = ("sft", "distil", "dpo", "ipo", "kto", "orpo", "simpo")

    def files(self, given: BundleInput) -> Files:
        """config.yml, data/, README."""
        refuse_unless_able(self, given)
        taken, shape = Taken(given.recipe), _shape(given)
        config = _config(given, taken)
        if missing := lost(given, shape):
            taken.note(f"{missing} rows are left out: they call tools, or user and assistant do not speak in turn.")
        names = ["train.jsonl", *(["eval.jsonl"] if given.has_eval else [])]
        files: Files = {"config.yml": yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()}
        files |= {f"data/{name}": shaped(given.data / name, shape) for name in names}
        files |= {f"base/{name}": content for name, content in given.base.files.items()}
        say = partial(readme, given, self.label, ["pip install axolotl"])
        files["README.md"] = say(["axolotl train config.yml"], "outputs", taken.left(), _traps(given))
        return files


def _config(given: BundleInput, taken: Taken) -> dict[str, Any]:
    config: dict[str, Any] = {
        "base_model": given.base.where,
        **({"revision_of_model": given.base.revision} if given.base.revision else {}),
        "chat_template": "tokenizer_default",
        **_method(given, taken),
        "datasets": [_dataset(given, "train.jsonl")],
        **({"test_datasets": [_dataset(given, "eval.jsonl")]} if given.has_eval else {"val_set_size": 0.0}),
        "dataset_prepared_path": "prepared",
        "output_dir": "outputs",
        "sequence_len": taken.take("max_length", RECIPE_DEFAULTS["max_length"]),
        **_adapter(taken),
        **_length(given, taken),
        **_speed(given, taken),
        "save_strategy": "steps",
        "save_steps": taken.take("save_steps", 500),
        "save_total_limit": 2,
        "logging_steps": given.recipe.get("logging_steps", 10),
        "seed": taken.take("seed", 42),
    }
    if given.has_eval:
        config |= {"eval_strategy": "steps", "eval_steps": taken.take("eval_steps", 500)}
    if given.has_eval and taken.take("load_best_model_at_end"):
        metric, greater = taken.take("metric_for_best_model", "eval_loss"), taken.take("greater_is_better", False)
        config |= {"load_best_model_at_end": True, "metric_for_best_model": metric, "greater_is_better": greater}
    taken.take("metric_for_best_model"), taken.take("greater_is_better"), taken.take("eval_steps")
    return config


def _method(given: BundleInput, taken: Taken) -> dict[str, Any]:
    if given.method not in RL:
        return {"train_on_inputs": False}
    beta, losses = float(taken.take("beta", 0.1)), taken.losses
    found: dict[str, Any] = {"rl": RL[given.method]}
    if given.method == "orpo":
        return found | {"orpo_alpha": beta, "remove_unused_columns": False}
    if given.method == "simpo":
        alpha, gamma = float(taken.take("cpo_alpha", 0.0)), float(taken.take("simpo_gamma", 0.5))
        return found | {"rl_beta": beta, "cpo_alpha": alpha, "simpo_gamma": gamma}
    if given.method == "kto":
        wanted, unwanted = taken.take("desirable_weight", 1.0), taken.take("undesirable_weight", 1.0)
        found |= {"kto_desirable_weight": wanted, "kto_undesirable_weight": unwanted}
        return found | {"rl_beta": beta, "remove_unused_columns": False}
    weights = taken.take("loss_weights") or [1.0] * len(losses)
    mixed = {"dpo_loss_type": losses, "dpo_loss_weights": weights} if losses and losses != ["sigmoid"] else {}
    return found | {"rl_beta": beta} | mixed


def _dataset(given: BundleInput, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"path": f"data/{name}", "ds_type": "json", "split": "train"}
    if given.method in ("dpo", "ipo", "simpo"):
        fields = {"field_messages": "messages", "field_chosen": "chosen", "field_rejected": "rejected"}
        return found | {"type": "chat_template.default", **fields}
    if given.method == "orpo":
        return found | {"type": "chat_template.argilla"}
    if given.method == "kto":
        return found | {"type": _kto_type(given)}
    learned = {"roles_to_train": ["assistant"], "message_field_training": "train", "train_on_eos": "turn"}
    mapped = {"message_property_mappings": {"role": "role", "content": "content"}}
    return found | {"type": "chat_template", "field_messages": "messages", **mapped, **learned}


def _kto_type(given: BundleInput) -> str:
    family = family_of(given.base)
    if family.markup not in KTO_TYPES:
        raise InvalidInput(
            "Axolotl writes KTO prompts in ChatML or Llama 3 form only, and this base speaks neither (or its chat "
            "template is not here yet). Take the run to TRL or LLaMA-Factory."
        )
    return KTO_TYPES[family.markup]


def _shape(given: BundleInput) -> Shape:
    return {"kto": _judged, "orpo": _whole_pair}.get(given.method, _rows if given.method not in RL else _pair)


def _rows(line: Line) -> Line | None:
    """What was said before the answer is shown, and not learned."""
    if uses_tools(line):
        return None
    earlier = [message | {"train": False} for message in line["prompt"]]
    return {"messages": [*earlier, *(message | {"train": True} for message in line["completion"])]}


def _pair(line: Line) -> Line | None:
    if uses_tools(line):
        return None
    return {"messages": line["prompt"], "chosen": line["chosen"][-1], "rejected": line["rejected"][-1]}


def _whole_pair(line: Line) -> Line | None:
    """Axolotl's ORPO knows a system text and turns."""
    if uses_tools(line) or not in_turn([*line["prompt"], *line["chosen"]]) or not in_turn(line["prompt"]):
        return None
    system = [message["content"] for message in line["prompt"] if message["role"] == "system"]
    turns = [message for message in line["prompt"] if message["role"] != "system"]
    pair = {name: [*turns, *line[name]] for name in ("chosen", "rejected")}
    return {"system": system[0] if system else "", **pair}


def _judged(line: Line) -> Line | None:
    if uses_tools(line):
        return None
    return {"completion": [*line["prompt"], *line["completion"]], "label": line["label"]}


def _adapter(taken: Taken) -> dict[str, Any]:
    if not taken.is_lora:
        return {}
    rank = int(taken.take("lora_r", 16))
    targets = taken.targets
    four_bit = taken.is_4bit
    taken.take("bnb_4bit_quant_type"), taken.take("use_bnb_nested_quant")  # nf4, nested: Axolotl's own defaults
    found: dict[str, Any] = {
        "adapter": "qlora" if four_bit else "lora",
        **({"load_in_4bit": True} if four_bit else {}),
        "lora_r": rank,
        "lora_alpha": int(taken.take("lora_alpha", 2 * rank)),
        "lora_dropout": float(taken.take("lora_dropout", 0.0)),
        **({"lora_target_modules": targets} if targets else {"lora_target_linear": True}),
    }
    variants = {"peft_use_dora": "use_dora", "peft_use_rslora": "use_rslora"}
    taken.take("lora_task_type")
    return found | {theirs: True for theirs, ours in variants.items() if taken.take(ours)}


def _length(given: BundleInput, taken: Taken) -> dict[str, Any]:
    most = taken.take("max_steps")
    found = {
        "num_epochs": taken.take("num_train_epochs", RECIPE_DEFAULTS["num_train_epochs"]),
        **({"max_steps": most} if most and most > 0 else {}),
        "micro_batch_size": taken.take("per_device_train_batch_size", 8),
        "gradient_accumulation_steps": taken.take("gradient_accumulation_steps", 1),
        "learning_rate": float(taken.take("learning_rate", 2e-5)),
        "lr_scheduler": taken.take("lr_scheduler_type", "linear"),
        "warmup_steps": taken.warmup_steps(rows_of(given)),
        "optimizer": taken.take("optim", "adamw_torch_fused"),
        "weight_decay": float(taken.take("weight_decay", 0.0)),
        "max_grad_norm": float(taken.take("max_grad_norm", 1.0)),
        "adam_beta2": float(taken.take("adam_beta2", 0.999)),
    }
    return found


def _speed(given: BundleInput, taken: Taken) -> dict[str, Any]:
    by_length = taken.take("train_sampling_strategy") == "group_by_length"
    taken.take("dtype"), taken.take("bf16"), taken.take("packing_strategy")
    found = {
        "bf16": "auto",
        "tf32": False,
        "gradient_checkpointing": bool(taken.take("activation_checkpointing", False)),
        **({"group_by_length": True} if by_length else {}),
    }
    if taken.take("packing") and given.method not in RL:
        found |= {"sample_packing": True, "eval_sample_packing": False, "attn_implementation": "flash_attention_2"}
    elif attention := taken.take("attn_implementation"):
        taken.note(f"`attn_implementation: {attention}` is left to Axolotl, which chooses by what is installed.")
    return found


def _traps(given: BundleInput) -> list[str]:
    return ["`chat_template: tokenizer_default` uses the base's own template. Leave it, or serving will differ."]

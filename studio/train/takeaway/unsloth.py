"""Unsloth: its command's YAML for SFT; for preferences a short script against its and TRL's public API."""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import Any

import yaml

from studio.train.takeaway.lines import Line, copied, lost, read, rows_of, shaped, uses_tools
from studio.train.takeaway.port import RECIPE_DEFAULTS, BundleInput, Files, refuse_unless_able
from studio.train.takeaway.readme import readme
from studio.train.takeaway.taken import Taken

EVERY_LINEAR = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"
TRAINERS = {"dpo": "DPO", "ipo": "DPO", "kto": "KTO", "orpo": "ORPO"}
SCRIPT = '''"""Train as settings.yaml says, with Unsloth's kernels under TRL's {name}Trainer."""

from unsloth import FastLanguageModel{patch}  # first: it changes what TRL imports

import yaml
from datasets import load_dataset

try:
    from trl import {name}Config, {name}Trainer
except ImportError:
    from trl.experimental.{module} import {name}Config, {name}Trainer

settings = yaml.safe_load(open("settings.yaml", encoding="utf-8"))
{patched}model, tokenizer = FastLanguageModel.from_pretrained(**settings["model"])
if settings["lora"]:
    model = FastLanguageModel.get_peft_model(model, **settings["lora"])
rows = load_dataset("json", data_files=settings["data"])
trainer = {name}Trainer(
    model=model,
    args={name}Config(**settings["training"]),
    train_dataset=rows["train"],
    eval_dataset=rows.get("eval"),
    processing_class=tokenizer,
)
trainer.train()
model.save_pretrained("outputs")
tokenizer.save_pretrained("outputs")
'''


class Unsloth:
    """Unsloth on one GPU."""

    name, label = "unsloth", "Unsloth"
    methods: tuple[str, ...] = ("sft", "distil", "dpo", "ipo", "kto", "orpo")

    def files(self, given: BundleInput) -> Files:
        """config.yaml for its command, or settings.yaml and train.py; data/, README."""
        refuse_unless_able(self, given)
        taken = Taken(given.recipe)
        own = _preference(given, taken) if given.method in TRAINERS else _supervised(given, taken)
        files = own | {f"base/{name}": content for name, content in given.base.files.items()}
        run = "python train.py" if given.method in TRAINERS else "unsloth train --config config.yaml"
        say = partial(readme, given, self.label, ["pip install unsloth"])
        files["README.md"] = say([run], "outputs", taken.left(), ["Unsloth wants a GPU; it has no CPU mode."])
        return files


def _supervised(given: BundleInput, taken: Taken) -> Files:
    if missing := lost(given, _messages):
        taken.note(f"{missing} rows are left out: they call tools.")
    if given.has_eval:
        taken.note("The command does not watch held-out rows; data/eval.jsonl is there for your own checks.")
    taken.note("The optimizer is Unsloth's own (8-bit AdamW), and it loads the newest commit of the base.")
    for name in ("load_best_model_at_end", "metric_for_best_model", "greater_is_better", "eval_steps", "adam_beta2"):
        taken.take(name)
    config = {"model": given.base.where, **_sections(given, taken)}
    files: Files = {"config.yaml": yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()}
    names = ["train.jsonl", *(["eval.jsonl"] if given.has_eval else [])]
    return files | {f"data/{name}": shaped(given.data / name, _messages) for name in names}


def _sections(given: BundleInput, taken: Taken) -> dict[str, Any]:
    lora = taken.is_lora
    checkpointing = "unsloth" if taken.take("activation_checkpointing", False) else "none"
    training = {
        "training_type": "lora" if lora else "full",
        "max_seq_length": taken.take("max_length", RECIPE_DEFAULTS["max_length"]),
        "load_in_4bit": taken.is_4bit,
        "output_dir": "outputs",
        **_length(given, taken),
        "learning_rate": float(taken.take("learning_rate", 2e-5)),
        "batch_size": taken.take("per_device_train_batch_size", 8),
        "gradient_accumulation_steps": taken.take("gradient_accumulation_steps", 1),
        "save_steps": taken.take("save_steps", 0),
        "weight_decay": float(taken.take("weight_decay", 0.0)),
        "random_seed": taken.take("seed", 42),
        "packing": bool(taken.take("packing", False)),
        "train_on_completions": True,
        "gradient_checkpointing": checkpointing,
    }
    _theirs(taken)
    data = {"local_dataset": ["data/train.jsonl"], "format_type": "chatml"}
    return {"data": data, "training": training, **({"lora": _lora(taken)} if lora else {})}


def _length(given: BundleInput, taken: Taken) -> dict[str, Any]:
    """Whole epochs, or the same length in steps: the command takes no parts of an epoch, and warms up by steps."""
    epochs = float(taken.take("num_train_epochs", RECIPE_DEFAULTS["num_train_epochs"]))
    rows = sum(_messages(line) is not None for line in read(given.data / "train.jsonl"))
    limited = bool(taken.take("max_steps", 0)) or not epochs.is_integer()
    return {
        "num_epochs": max(1, ceil(epochs)),
        "max_steps": taken.steps(rows) if limited else 0,
        "warmup_steps": taken.warmup_steps(rows),
    }


def _lora(taken: Taken) -> dict[str, Any]:
    rank, targets = int(taken.take("lora_r", 16)), taken.targets
    taken.take("lora_task_type")
    return {
        "lora_r": rank,
        "lora_alpha": int(taken.take("lora_alpha", 2 * rank)),
        "lora_dropout": float(taken.take("lora_dropout", 0.0)),
        "target_modules": ",".join(targets) if targets else EVERY_LINEAR,
        "use_rslora": bool(taken.take("use_rslora", False)),
        "use_dora": bool(taken.take("use_dora", False)),
    }


def _theirs(taken: Taken) -> None:
    """What Unsloth decides by itself and does no worse."""
    for name in (
        "dtype",
        "bf16",
        "attn_implementation",
        "bnb_4bit_quant_type",
        "use_bnb_nested_quant",
        "packing_strategy",
    ):
        taken.take(name)
    if taken.take("lr_scheduler_type", "linear") != "linear":
        taken.note("The learning rate falls in a straight line; the command knows no other schedule.")
    if taken.take("train_sampling_strategy") == "group_by_length":
        taken.note("Rows of like length are not put together: training is slower, not different.")
    taken.take("max_grad_norm")


def _messages(line: Line) -> Line | None:
    return None if uses_tools(line) else {"messages": [*line["prompt"], *line["completion"]]}


def _preference(given: BundleInput, taken: Taken) -> Files:
    name = TRAINERS[given.method]
    patch = ", PatchDPOTrainer" if name == "DPO" else ""
    patched = "PatchDPOTrainer()\n" if name == "DPO" else ""
    script = SCRIPT.format(name=name, module=name.lower(), patch=patch, patched=patched)
    names = {"train": "train.jsonl"} | ({"eval": "eval.jsonl"} if given.has_eval else {})
    settings = {"model": _loaded(given, taken), "lora": _peft(taken), "data": {}, "training": _trained(given, taken)}
    settings["data"] = {split: f"data/{file}" for split, file in names.items()}
    files: Files = {"settings.yaml": yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).encode()}
    files["train.py"] = script.encode()
    return files | {f"data/{file}": copied(given.data / file) for file in names.values()}


def _loaded(given: BundleInput, taken: Taken) -> dict[str, Any]:
    length = taken.take("max_length", RECIPE_DEFAULTS["max_length"])
    found = {"model_name": given.base.where, "max_seq_length": length, "load_in_4bit": taken.is_4bit}
    revision = {"revision": given.base.revision} if given.base.revision else {}
    return found | revision | ({} if taken.is_lora else {"full_finetuning": True})


def _peft(taken: Taken) -> dict[str, Any]:
    if not taken.is_lora:
        return {}
    said = _lora(taken)
    checkpointing = "unsloth" if taken.take("activation_checkpointing", False) else False
    taken.take("use_dora")
    return {
        "r": said["lora_r"],
        "lora_alpha": said["lora_alpha"],
        "lora_dropout": said["lora_dropout"],
        "target_modules": said["target_modules"].split(","),
        "use_rslora": said["use_rslora"],
        "use_gradient_checkpointing": checkpointing,
        "random_state": taken.take("seed", 42),
    }


def _trained(given: BundleInput, taken: Taken) -> dict[str, Any]:
    """The trainer's own config: what is left of the recipe is TRL's, and goes in as it is."""
    _theirs(taken)
    losses = taken.losses
    if len(losses) > 1:
        taken.note(f"Of the losses {', '.join(losses)} only {losses[0]} is used: older TRL takes one.")
    skipped = {
        "model_name_or_path",
        "dataset_name",
        "dtype",
        "use_cpu",
        "use_peft",
        "bf16",
        "load_in_4bit",
        "loss_type",
    }
    skipped |= {"activation_checkpointing", "attn_implementation", "train_sampling_strategy", "model_revision"}
    skipped |= {"bnb_4bit_quant_type", "use_bnb_nested_quant", "warmup_steps", "dataloader_pin_memory"}
    kept = {name: value for name, value in given.recipe.items() if name not in skipped and "lora" not in name}
    for name in kept:
        taken.take(name)
    warmup = taken.warmup_steps(rows_of(given))
    loss = {"loss_type": losses[0]} if losses and TRAINERS[given.method] == "DPO" else {}
    return kept | {"output_dir": "checkpoints", "report_to": "none", "warmup_steps": warmup, **loss}

"""LLaMA-Factory: a YAML, dataset_info.json and the data; the template is chosen here, for it is where most go wrong."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import yaml

from studio.train.takeaway.families import Family, family_of
from studio.train.takeaway.lines import Line, in_turn, lost, rows_of, shaped
from studio.train.takeaway.port import RECIPE_DEFAULTS, BundleInput, Files, refuse_unless_able
from studio.train.takeaway.readme import readme
from studio.train.takeaway.taken import Taken

STAGES = {"sft": "sft", "distil": "sft", "kto": "kto", "reward": "rm"}
LOSSES = {"dpo": "sigmoid", "ipo": "ipo", "orpo": "orpo", "simpo": "simpo"}
TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "function_tag": "function_call",
    "system_tag": "system",
}
TRAIN, HELD_OUT = "whetstone_train", "whetstone_eval"


class LlamaFactory:
    """LLaMA-Factory's YAML and its register of datasets."""

    name, label = "llama-factory", "LLaMA-Factory"
    methods: tuple[str, ...] = ("sft", "distil", "dpo", "ipo", "kto", "orpo", "simpo", "reward")

    def files(self, given: BundleInput) -> Files:
        """train.yaml, data/dataset_info.json, data/*.jsonl, README."""
        refuse_unless_able(self, given)
        taken, family = Taken(given.recipe), family_of(given.base)
        config = _config(given, taken, family)
        if missing := lost(given, _row):
            taken.note(f"{missing} rows are left out: LLaMA-Factory wants user and assistant to speak in turn.")
        if family.note:
            taken.note(family.note)
        head = f"# template: {_why(given, family)}\n"
        files: Files = {"train.yaml": (head + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)).encode()}
        files["data/dataset_info.json"] = json.dumps(_register(given), indent=2).encode()
        names = ["train.jsonl", *(["eval.jsonl"] if given.has_eval else [])]
        files |= {f"data/{name}": shaped(given.data / name, _row) for name in names}
        files |= {f"base/{name}": content for name, content in given.base.files.items()}
        say = partial(readme, given, self.label, ["pip install llamafactory"])
        files["README.md"] = say(["llamafactory-cli train train.yaml"], "outputs", taken.left(), _traps(given, family))
        return files


def _config(given: BundleInput, taken: Taken, family: Family) -> dict[str, Any]:
    return {
        "model_name_or_path": given.base.where,
        **({"model_revision": given.base.revision} if given.base.revision else {}),
        "do_train": True,
        **_stage(given, taken),
        **_adapter(taken),
        "dataset_dir": "data",
        "dataset": TRAIN,
        **({"eval_dataset": HELD_OUT} if given.has_eval else {}),
        **_template(family),
        "cutoff_len": taken.take("max_length", RECIPE_DEFAULTS["max_length"]),
        **({"mask_history": True} if given.method in ("sft", "distil") else {}),
        **({"packing": True, "neat_packing": True} if taken.take("packing") else {}),
        "output_dir": "outputs",
        **_length(given, taken),
        **_device(taken),
        **_watching(given, taken),
        "seed": taken.take("seed", 42),
        "report_to": "none",
    }


def _stage(given: BundleInput, taken: Taken) -> dict[str, Any]:
    losses = taken.losses
    if given.method in LOSSES:
        found: dict[str, Any] = {
            "stage": "dpo",
            "pref_loss": LOSSES[given.method],
            "pref_beta": taken.take("beta", 0.1),
        }
        if "sft" in losses:
            weights = taken.take("loss_weights") or [1.0] * len(losses)
            found["pref_ftx"] = float(weights[losses.index("sft")])
        if given.method == "simpo":
            found["simpo_gamma"] = taken.take("simpo_gamma", 0.5)
            taken.take("cpo_alpha")
        return found
    found = {"stage": STAGES[given.method]}
    if given.method == "kto":
        found |= {"pref_beta": taken.take("beta", 0.1), "kto_chosen_weight": taken.take("desirable_weight", 1.0)}
        found["kto_rejected_weight"] = taken.take("undesirable_weight", 1.0)
    return found


def _adapter(taken: Taken) -> dict[str, Any]:
    if not taken.is_lora:
        return {"finetuning_type": "full"}
    rank, targets = int(taken.take("lora_r", 16)), taken.targets
    taken.take("lora_task_type")
    found: dict[str, Any] = {
        "finetuning_type": "lora",
        "lora_rank": rank,
        "lora_alpha": int(taken.take("lora_alpha", 2 * rank)),
        "lora_dropout": float(taken.take("lora_dropout", 0.0)),
        "lora_target": ",".join(targets) if targets else "all",
    }
    found |= {name: True for name in ("use_dora", "use_rslora") if taken.take(name)}
    if taken.is_4bit:
        kind, nested = taken.take("bnb_4bit_quant_type", "nf4"), bool(taken.take("use_bnb_nested_quant", True))
        found |= {"quantization_bit": 4, "quantization_method": "bnb", "quantization_type": kind}
        found["double_quantization"] = nested
    return found


def _template(family: Family) -> dict[str, Any]:
    """Unnamed, LLaMA-Factory reads the base's own template; a wrong name would be worse than none."""
    if not family.llama_factory:
        return {}
    return {"template": family.llama_factory, **({"enable_thinking": False} if family.thinks else {})}


def _length(given: BundleInput, taken: Taken) -> dict[str, Any]:
    most = taken.take("max_steps")
    return {
        "num_train_epochs": float(taken.take("num_train_epochs", RECIPE_DEFAULTS["num_train_epochs"])),
        **({"max_steps": most} if most and most > 0 else {}),
        "per_device_train_batch_size": taken.take("per_device_train_batch_size", 8),
        "gradient_accumulation_steps": taken.take("gradient_accumulation_steps", 1),
        "learning_rate": float(taken.take("learning_rate", 2e-5)),
        "lr_scheduler_type": taken.take("lr_scheduler_type", "linear"),
        "warmup_steps": taken.warmup_steps(rows_of(given)),
        "weight_decay": float(taken.take("weight_decay", 0.0)),
        "max_grad_norm": float(taken.take("max_grad_norm", 1.0)),
        "adam_beta2": float(taken.take("adam_beta2", 0.999)),
        **({"optim": optimizer} if (optimizer := taken.take("optim")) else {}),
    }


def _device(taken: Taken) -> dict[str, Any]:
    """On a GPU that knows bf16; a recipe for a CPU stays in float32."""
    half = bool(taken.take("bf16", True))
    taken.take("dtype")
    if attention := taken.take("attn_implementation"):
        taken.note(f"`attn_implementation: {attention}` is left to LLaMA-Factory (`flash_attn: auto`).")
    if taken.take("train_sampling_strategy") == "group_by_length":
        taken.note(
            "Rows of like length together (`group_by_length`): the key's name depends on your transformers, add it "
            "yourself; without it training is slower, not different."
        )
    return {"bf16": half, "disable_gradient_checkpointing": not taken.take("activation_checkpointing", False)}


def _watching(given: BundleInput, taken: Taken) -> dict[str, Any]:
    found = {"logging_steps": given.recipe.get("logging_steps", 10), "save_steps": taken.take("save_steps", 500)}
    every = taken.take("eval_steps", 500)
    best, metric = taken.take("load_best_model_at_end"), taken.take("metric_for_best_model", "eval_loss")
    greater = bool(taken.take("greater_is_better", False))
    if not given.has_eval:
        return found
    found |= {"eval_strategy": "steps", "eval_steps": every}
    chosen = {"load_best_model_at_end": True, "metric_for_best_model": metric, "greater_is_better": greater}
    if best and given.method == "reward":
        taken.note("LLaMA-Factory keeps no best checkpoint for reward models; take the one with the lowest eval_loss.")
    return found | (chosen if best and given.method != "reward" else {})


def _register(given: BundleInput) -> dict[str, Any]:
    names = {TRAIN: "train.jsonl"} | ({HELD_OUT: "eval.jsonl"} if given.has_eval else {})
    return {name: {"file_name": file, **_entry(given)} for name, file in names.items()}


def _entry(given: BundleInput) -> dict[str, Any]:
    columns = {"messages": "messages", "tools": "tools"}
    found: dict[str, Any] = {"formatting": "sharegpt", "columns": columns, "tags": TAGS}
    if given.method in LOSSES or given.method == "reward":
        return found | {"ranking": True, "columns": columns | {"chosen": "chosen", "rejected": "rejected"}}
    if given.method == "kto":
        return found | {"columns": columns | {"kto_tag": "label"}}
    return found


def _row(line: Line) -> Line | None:
    """Roles as LLaMA-Factory tells them apart; a row it would skip without a word is left out and counted."""
    prompt = _turns(line["prompt"])
    answers: Line = {name: _turns(line[name])[-1] for name in ("chosen", "rejected") if name in line}
    said = prompt if answers else [*prompt, *_turns(line["completion"])]
    whole = [*said, answers["chosen"]] if answers else said
    if not in_turn([message | {"role": _side(message)} for message in whole]) or _side(whole[-1]) != "assistant":
        return None
    label = {"label": line["label"]} if "label" in line else {}
    return {"messages": said, **answers, "tools": line.get("tools") or "", **label}


def _turns(messages: list[Line]) -> list[Line]:
    """Calls become a role of their own with JSON inside, and results that follow one another are one turn."""
    turns: list[Line] = []
    for message in messages:
        if calls := message.get("tool_calls"):
            text = json.dumps([call["function"] for call in calls], ensure_ascii=False)
            turns.append({"role": "function_call", "content": text})
        elif message["role"] == "tool" and turns and turns[-1]["role"] == "tool":
            turns[-1] = turns[-1] | {"content": f"{turns[-1]['content']}\n{message['content']}"}
        else:
            turns.append({"role": message["role"], "content": message["content"]})
    return turns


def _side(message: Line) -> str:
    role = str(message["role"])
    return {"tool": "user", "function_call": "assistant"}.get(role, role)


def _why(given: BundleInput, family: Family) -> str:
    name = given.base.hub_id or given.base.name
    if not family.llama_factory:
        return f"not named on purpose; LLaMA-Factory then reads the template of {name} itself."
    return f"{family.llama_factory} is what {name} speaks; another one trains without an error and answers badly."


def _traps(given: BundleInput, family: Family) -> list[str]:
    kept = f"Keep `template: {family.llama_factory}`" if family.llama_factory else "Add no `template`"
    found = [
        f"{kept}: a template of another family trains without any error and then repeats itself or never stops.",
        "Serve the result with the base's own chat template, which the studio does after you bring it back.",
    ]
    if family.thinks:
        found.append("Thoughts are trained empty (`enable_thinking: false`): serve with thinking off, as here.")
    return found

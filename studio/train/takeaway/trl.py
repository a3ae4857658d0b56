"""TRL: the studio's own trainer; the bundle is the run's folder as `trl` reads it."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version

from studio.train import recipe_text
from studio.train.methods import METHODS
from studio.train.takeaway.lines import copied
from studio.train.takeaway.port import BundleInput, Files, refuse_unless_able
from studio.train.takeaway.readme import readme

PINNED = ("trl", "transformers", "peft", "datasets", "accelerate", "torch")
SCRIPT = '''"""Train as recipe.yaml says: {label}. TRL keeps it under trl.experimental and has no command for it."""

from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import ModelConfig, ScriptArguments, TrlParser, get_peft_config
from trl.experimental.{module} import {name}Config, {name}Trainer

script, training, model = TrlParser((ScriptArguments, {name}Config, ModelConfig)).parse_args_and_config()
rows = load_dataset(script.dataset_name)
trainer = {name}Trainer(
    model=AutoModelForCausalLM.from_pretrained(
        model.model_name_or_path, revision=model.model_revision, dtype=model.dtype or "auto"
    ),
    args=training,
    train_dataset=rows["train"],
    eval_dataset=rows.get("test") if training.eval_strategy != "no" else None,
    processing_class=AutoTokenizer.from_pretrained(model.model_name_or_path, revision=model.model_revision),
    peft_config=get_peft_config(model),
)
trainer.train()
trainer.save_model(training.output_dir)
'''
EXPERIMENTAL = {"orpo": ("orpo", "ORPO"), "cpo": ("cpo", "CPO"), "simpo": ("cpo", "CPO")}


class Trl:
    """The run's own recipe, rows and versions."""

    name, label = "trl", "TRL"
    methods: tuple[str, ...] = ("sft", "distil", "dpo", "ipo", "kto", "orpo", "cpo", "simpo", "reward")

    def files(self, given: BundleInput) -> Files:
        """recipe.yaml, data/, requirements.txt, a script where TRL has no command, README."""
        refuse_unless_able(self, given)
        files: Files = {"recipe.yaml": _recipe(given), "requirements.txt": _requirements()}
        names = ["train.jsonl", *(["eval.jsonl"] if given.has_eval else [])]
        files |= {f"data/{name}": copied(given.data / name) for name in names}
        files |= {f"base/{name}": content for name, content in given.base.files.items()}
        if given.method in EXPERIMENTAL:
            module, trainer = EXPERIMENTAL[given.method]
            label = METHODS[given.method].label
            files["train.py"] = SCRIPT.format(label=label, module=module, name=trainer).encode()
        command = METHODS[given.method].command or "python train.py"
        say = partial(readme, given, self.label, ["pip install -r requirements.txt"])
        files["README.md"] = say([f"{command} --config recipe.yaml"], "checkpoints", _left_out(given), _traps(given))
        return files


def _recipe(given: BundleInput) -> bytes:
    values = dict(given.recipe) | {"model_name_or_path": given.base.where, "dataset_name": "data"}
    if given.base.revision:
        values["model_revision"] = given.base.revision
    return recipe_text.exported(values, given.studio | {"method": given.method}).encode()


def _requirements() -> bytes:
    lines = [f"{name}=={version(name).partition('+')[0]}" for name in PINNED]
    return ("\n".join(lines) + "\n").encode()


def _left_out(given: BundleInput) -> list[str]:
    """Only what the studio adds around the trainer."""
    return [
        "The best checkpoint by the task on held-out rows, golden rows beside the run and early stopping: the studio "
        "does those around TRL; here the lowest eval_loss is kept.",
    ]


def _traps(given: BundleInput) -> list[str]:
    if given.recipe.get("use_cpu"):
        return ["The recipe was made for a machine without a GPU (`use_cpu: true`, float32). Change both on a GPU."]
    return []

"""Every method on one small base: it moves the number that it is there for, and what it makes can be used."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from studio.errors import InvalidInput
from studio.train import recipe
from studio.train.events import series, tail
from studio.train.methods import METHODS
from studio.train.recipes.process import prepare
from tests.full_proof import once_more
from tests.integration.train.conftest import COLOURS, LIGHT

pytestmark = pytest.mark.slow
THINGS = ("cup", "lamp", "chair", "coat", "door", "table")
SHAPE = {"vocabulary": 400, "hidden": 48, "layers": 2, "heads": 2, "kv_heads": 1, "steps": 110, "batch": 8, "block": 96}
THANKS = "Thank you, I see."
DATA = {"sft": "rows", "distil": "rows", "kto": "judged", "grpo": "prompts", "reward": "tastes"}
SETTINGS: dict[str, dict[str, Any]] = {
    "sft": {"learning_rate": 1e-2, "max_steps": 20},
    "kto": {"learning_rate": 3e-3, "max_steps": 20},
    "orpo": {"learning_rate": 4e-3, "max_steps": 12},
    "reward": {"learning_rate": 2e-3, "max_steps": 12},
    "grpo": {"learning_rate": 3e-3, "max_steps": 10, "max_completion_length": 16},
}
AS_OTHERS = {"learning_rate": 2e-3, "max_steps": 8}
MOVED: dict[str, Callable[[float, float], bool]] = {
    "eval_loss": lambda before, after: after < 0.5 * before,
    "rewards/accuracies": lambda before, after: before <= 0.6 and after >= 0.9,
    "rewards/margins": lambda before, after: abs(before) < 0.01 and after > 0.5,
    "accuracy": lambda before, after: before <= 0.7 and after >= 0.9,
    "reward": lambda before, after: after > before + 0.25,
}
"""What counts as moved beyond noise: 32 held-out rows, before the first step and after the last."""
LIGHTS = {"name": "exact_match"}, {"name": "valid_json", "weight": 0.5}


def message(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def row(kind: str, source: random.Random, index: int) -> dict[str, Any]:
    """Wanted is JSON that tells whether the colour is light; unwanted is thanks."""
    colour, thing = source.choice(COLOURS), source.choice(THINGS)
    prompt = [{"role": "user", "content": f"The {thing} is {colour}."}]
    right = json.dumps({"light": colour in LIGHT})
    if kind == "tastes":
        light, dark = source.choice(LIGHT), source.choice([each for each in COLOURS if each not in LIGHT])
        return {"prompt": prompt, "chosen": message(f"{light} {thing}"), "rejected": message(f"{dark} {thing}")}
    if kind == "pairs":
        return {"prompt": prompt, "chosen": message(right), "rejected": message(THANKS)}
    if kind == "judged":
        return {"prompt": prompt, "completion": message(right if index % 2 else THANKS), "label": bool(index % 2)}
    if kind == "prompts":
        return {"prompt": prompt, "reference": right}
    return {"prompt": prompt, "completion": message(right)}


def manners() -> list[str]:
    """Chats in which most answers are thanks and some are JSON, right or wrong."""
    source, texts = random.Random(1), []
    for _ in range(600):
        asked = row("rows", source, 0)
        answer = json.dumps({"light": source.random() < 0.5}) if source.random() < 0.35 else THANKS
        text = asked["prompt"][0]["content"]
        texts.append(f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n")
    return texts


@pytest.fixture(scope="session")
def polite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that knows both ways to answer and prefers thanks."""
    prepare()
    from studio.train.recipes import base

    folder = tmp_path_factory.mktemp("polite")
    lines = folder / "documents.jsonl"
    lines.write_text("\n".join(json.dumps({"text": text}) for text in manners()))
    base.build(lines, folder / "model", shape=base.Shape(**SHAPE))
    return folder / "model"


@pytest.fixture(scope="session")
def carry_out(polite: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, dict[str, Any]]]:
    """Train by a method's name with changes to the recipe, and return the run's folder and summary."""
    from studio.train.recipes import run

    def make(name: str, base: Path = polite, studio: dict[str, Any] | None = None, **changes: Any) -> Any:
        folder = tmp_path_factory.mktemp(name)
        lay_out(folder, name, base, studio or {}, changes)
        return folder, run.train(folder)

    return make


def lay_out(folder: Path, name: str, base: Path, studio: dict[str, Any], changes: dict[str, Any]) -> None:
    """The folder of a run that evaluates before its first step and after its last."""
    chosen = METHODS[name]
    (folder / "data").mkdir()
    for file, count, seed in ((recipe.TRAIN, 96, 2), (recipe.EVAL, 32, 3)):
        source = random.Random(seed)
        rows = [json.dumps(row(DATA.get(name, "pairs"), source, index)) for index in range(count)]
        (folder / "data" / file).write_text("\n".join(rows) + "\n")
    settings = recipe_of(name) | chosen.keys | changes
    settings.setdefault("eval_steps", settings["max_steps"])
    plain = {"method": name, "trainer": chosen.trainer, "samples": 0, "rewards": LIGHTS}
    recipe.write(folder, settings, plain | studio)
    (folder / recipe.BASE).symlink_to(base)


def recipe_of(name: str) -> dict[str, Any]:
    length = {} if name == "grpo" else {"max_length": 64}
    return {
        "model_name_or_path": "base",
        "dataset_name": "data",
        "output_dir": "checkpoints",
        "per_device_train_batch_size": 16,
        "per_device_eval_batch_size": 16,
        "lr_scheduler_type": "constant",
        "seed": 0,
        "data_seed": 0,
        "logging_steps": 1,
        "save_strategy": "no",
        "eval_strategy": "steps",
        "dtype": "float32",
        "bf16": False,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "activation_checkpointing": False,
        "report_to": "none",
        "disable_tqdm": True,
        **length,
        **SETTINGS.get(name, AS_OTHERS),
    }


def curve(folder: Path, name: str) -> list[float]:
    return [value for _step, value in series(tail(folder / recipe.EVENTS)[0], name)]


@pytest.fixture(scope="session")
def outcomes(carry_out: Callable[..., Any]) -> Callable[[str], tuple[Path, dict[str, Any]]]:
    """One run per method, each carried out once."""
    done: dict[str, tuple[Path, dict[str, Any]]] = {}

    def of(name: str) -> tuple[Path, dict[str, Any]]:
        if name not in done:
            done[name] = carry_out(name)
        return done[name]

    return of


@pytest.mark.parametrize("name", [name for name in METHODS if name != "distil"])
def test_a_method_moves_its_own_target_on_held_out_rows(name: str, outcomes: Callable[[str], Any]) -> None:
    folder, summary = outcomes(name)
    target = METHODS[name].target
    measured = curve(folder, f"eval_{target.removeprefix('eval_')}")
    assert MOVED[target](measured[0], measured[-1]), measured
    assert summary["tokens"] > 0 and not summary["stopped"]
    assert len(curve(folder, "eval_task")) == len(measured), "each evaluation has the number that chooses the best"


@pytest.mark.parametrize("name", [name for name, each in METHODS.items() if each.makes == "tuned" and name != "distil"])
def test_what_a_method_makes_answers_as_people_wanted(name: str, outcomes: Callable[[str], Any], polite: Path) -> None:
    folder, _summary = outcomes(name)
    before, after = (shares_of_json(each) for each in (polite, folder / recipe.MERGED))
    assert before < 0.5 and after > 0.9, (before, after)


def shares_of_json(folder: Path) -> float:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from studio.train.recipes.generate import greedy

    source = random.Random(4)
    prompts = [row("prompts", source, 0)["prompt"] for _ in range(24)]
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return (
        sum(answer.text in ('{"light": true}', '{"light": false}') for answer in greedy(model, tokenizer, prompts, 16))
        / 24
    )


LORA = {"use_peft": True, "lora_r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "lora_target_modules": ["all-linear"]}
KINDS = {"lora": {}, "rslora": {"use_rslora": True}, "dora": {"use_dora": True}}


@pytest.mark.parametrize("kind", KINDS)
def test_an_adapter_merges_into_a_plain_checkpoint_that_answers_alike(
    kind: str, carry_out: Callable[..., Any], polite: Path, tmp_path: Path
) -> None:
    folder, _summary = carry_out("sft", max_steps=5, learning_rate=2e-2, **LORA, **KINDS[kind])
    adapter = json.loads((folder / recipe.ADAPTER / "adapter_config.json").read_text())
    assert (adapter["use_rslora"], adapter["use_dora"]) == (kind == "rslora", kind == "dora")
    merged_answers_alike(polite, folder / recipe.ADAPTER, tmp_path)


def merged_answers_alike(base: Path, adapter: Path, out: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from studio.train.recipes import merge

    merge.merge(base, adapter, out)
    tokens = AutoTokenizer.from_pretrained(out)("The cup is red.", return_tensors="pt")["input_ids"]
    load = AutoModelForCausalLM.from_pretrained
    with torch.inference_mode():
        plain, merged = (load(each)(tokens).logits for each in (base, out))
        adapted = PeftModel.from_pretrained(load(base), adapter)(tokens).logits
    assert torch.allclose(merged, adapted, atol=1e-4)
    assert not torch.allclose(merged, plain, atol=1e-2)


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes (the extra qlora) is not installed")
def test_qlora_learns_on_a_base_in_4_bits_and_merges_into_its_full_weights(
    carry_out: Callable[..., Any], polite: Path, tmp_path: Path
) -> None:
    folder, _summary = carry_out("sft", max_steps=8, learning_rate=2e-2, load_in_4bit=True, **LORA)
    losses = curve(folder, "eval_loss")
    assert losses[-1] < 0.7 * losses[0]
    merged_answers_alike(polite, folder / recipe.ADAPTER, tmp_path)


@pytest.mark.skipif(find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed")
def test_qlora_without_its_library_says_what_to_install(carry_out: Callable[..., Any]) -> None:
    with pytest.raises(InvalidInput, match=r"whetstone\[qlora\]"):
        carry_out("sft", load_in_4bit=True, **LORA)


def test_a_base_in_4_bits_is_not_trained_without_lora(carry_out: Callable[..., Any]) -> None:
    with pytest.raises(InvalidInput, match="turn LoRA on"):
        carry_out("sft", load_in_4bit=True)


def test_a_tuned_model_is_taken_further_by_another_method(
    outcomes: Callable[[str], Any], carry_out: Callable[..., Any], tmp_path: Path
) -> None:
    from studio.train.recipes import merge

    taught = outcomes("sft")[0] / recipe.MERGED
    folder, _summary = carry_out("dpo", base=taught, learning_rate=1e-2, max_steps=6, **LORA)
    merge.merge(taught, folder / recipe.ADAPTER, tmp_path)
    assert curve(folder, "eval_rewards/margins")[-1] > 0.3
    assert shares_of_json(tmp_path) > 0.9, "what the first method taught is still there"


def test_a_reward_model_is_a_plain_checkpoint_that_others_can_practise_against(
    carry_out: Callable[..., Any], polite: Path
) -> None:
    from transformers import AutoModelForSequenceClassification

    from studio.train.recipes import merge

    folder, _summary = carry_out("reward", learning_rate=1e-2, **LORA)
    judge = folder / "judge"
    merge.merge(polite, folder / recipe.ADAPTER, judge)
    assert merge.is_judge(judge) and not merge.is_judge(polite)
    assert AutoModelForSequenceClassification.from_pretrained(judge).config.num_labels == 1
    assert merge.golden_prompts(polite, judge, [row("rows", random.Random(5), 0)["prompt"]]) == {"prompts": []}
    practised, _summary = carry_out(
        "grpo", studio={"rewards": [{"name": "reward_model", "folder": str(judge)}]}, max_steps=2
    )
    assert len(curve(practised, "reward")) == 2


@pytest.mark.parametrize("name", ["kto", pytest.param("dpo", marks=once_more)])
def test_a_preference_run_that_was_stopped_goes_on_with_the_same_losses(
    name: str, outcomes: Callable[[str], Any], polite: Path, tmp_path: Path
) -> None:
    from studio.train.recipes import run

    lay_out(tmp_path, name, polite, {}, {"save_strategy": "steps", "save_steps": 100})
    seen: list[str] = []
    stopped = run.train(tmp_path, stop_asked=lambda: len(seen) >= 4, on_progress=lambda _done, text: seen.append(text))
    assert stopped["stopped"] and stopped["steps"] < SETTINGS.get(name, AS_OTHERS)["max_steps"]
    run.train(tmp_path)
    assert curve(tmp_path, "loss") == curve(outcomes(name)[0], "loss")

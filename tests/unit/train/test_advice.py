"""Advice beyond SFT: every method's values, adapters, what does not go together, and which base to take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from storage.tables import DatasetVersion, Model
from studio.errors import InvalidInput
from studio.train.advice import NAMES, make_plan
from studio.train.advice.base import advise_base
from studio.train.hub import on_menu
from studio.train.lengths import Lengths
from studio.train.machine import GIB, Machine
from studio.train.methods import METHODS
from studio.train.plan import Plan, Situation
from studio.train.shape import ModelShape
from tests.fakes.frozen_rows import TINY_CONFIG

LENGTHS = Lengths((60, 70, 80), exact=True)
CPU = Machine(memory=24 * GIB, cores=2)
GPU = Machine(64 * GIB, 16, gpu="NVIDIA H100", gpu_memory=80 * GIB)
TINY = Situation(
    ModelShape.of_config(TINY_CONFIG), "tiny", 800, 80, LENGTHS, CPU, answers=Lengths((20, 30), exact=True)
)
QWEN = replace(TINY, shape=on_menu("Qwen/Qwen3-0.6B").shape, base="Qwen3-0.6B", machine=GPU)


def choice(plan: Plan, name: str) -> Any:
    return next(each for each in plan.values if each.name == name)


@pytest.mark.parametrize("situation", [TINY, QWEN], ids=["tiny", "real"])
@pytest.mark.parametrize("method", METHODS)
def test_every_value_of_every_method_has_a_reason_a_source_and_a_name_to_change_it_by(
    method: str, situation: Situation
) -> None:
    plan = make_plan(situation, method_name=method)
    assert len({each.name for each in plan.values}) == len(plan.values)
    for each in plan.values:
        assert each.reason.endswith(".") and each.source and each.name in NAMES, each
    assert plan.studio()["trainer"] == METHODS[method].trainer and plan.sentence.endswith(".")


def test_preferences_are_learned_at_a_twentieth_of_the_rate_with_an_adapter_and_a_sixtieth_without() -> None:
    answers = make_plan(TINY).value("learning_rate")
    assert make_plan(TINY, method_name="dpo").value("learning_rate") == pytest.approx(answers / 20)
    full = make_plan(TINY, method_name="dpo", overrides={"training": "full"})
    assert full.value("learning_rate") == pytest.approx(6e-3 / 60)
    assert "1/20" in choice(make_plan(TINY, method_name="kto"), "learning_rate").reason


def test_dpo_keeps_learning_the_better_answer_so_that_text_does_not_collapse() -> None:
    assert make_plan(TINY, method_name="dpo").recipe()["loss_type"] == ["sigmoid", "sft"]
    assert make_plan(TINY, method_name="ipo").recipe()["loss_type"] == ["ipo"]


@pytest.mark.parametrize(("judged", "weights"), [((600, 200), (1.0, 3.0)), ((100, 400), (4.0, 1.0)), ((5, 5), (1, 1))])
def test_the_rarer_kind_of_thumb_counts_more(judged: tuple[int, int], weights: tuple[float, float]) -> None:
    made = make_plan(replace(TINY, judged=judged), method_name="kto").recipe()
    assert (made["desirable_weight"], made["undesirable_weight"]) == weights


def test_practice_tries_several_answers_and_leaves_them_room() -> None:
    plan = make_plan(TINY, method_name="grpo")
    made = plan.recipe()
    assert (made["num_generations"], made["max_completion_length"]) == (8, 40)
    per_step = made["per_device_train_batch_size"] * made["gradient_accumulation_steps"]
    assert per_step % made["num_generations"] == 0 == made["per_device_eval_batch_size"] % made["num_generations"]
    assert "max_length" not in made and plan.studio()["rewards"][0]["name"] == "exact_match"
    assert plan.steps == 60, "240 prompts, tried 8 times each, 32 tries a step"


def test_an_adapter_s_kind_rank_strength_and_place_become_trl_s_keys() -> None:
    given = {"training": "rslora", "lora_r": 32, "lora_target_modules": "attention"}
    made = make_plan(TINY, overrides=given).recipe()
    assert (made["use_rslora"], made["lora_r"], made["lora_alpha"]) == (True, 32, 64)
    assert made["lora_target_modules"] == ["q_proj", "k_proj", "v_proj", "o_proj"]
    assert make_plan(TINY, overrides={"lora_target_modules": ["q_proj"]}).recipe()["lora_target_modules"] == ["q_proj"]
    assert make_plan(TINY, method_name="reward").recipe()["lora_task_type"] == "SEQ_CLS"


def test_a_plan_for_every_weight_says_nothing_of_adapters() -> None:
    plan = make_plan(TINY, overrides={"training": "full", "lora_r": 8})
    assert plan.value("lora_r") is None and plan.recipe()["use_peft"] is False
    assert "every weight" in plan.sentence


@pytest.mark.parametrize(
    ("method", "given", "says"),
    [
        ("sft", {"beta": 0.1}, "is for dpo, ipo"),
        ("dpo", {"num_generations": 4}, "is for grpo"),
        ("kto", {"order": "group_by_length"}, "kto has none"),
        ("sft", {"rewards": [{"name": "exact_match"}]}, "is for grpo"),
        ("grpo", {"rewards": [{"name": "exactmatch"}]}, "no scorer 'exactmatch'"),
        ("sft", {"task": {"name": "nonsense"}}, "no scorer 'nonsense'"),
        ("grpo", {"num_generations": 5}, "must be a multiple of 'num_generations'"),
        ("sft", {"batch_size": 10, "micro_batch": 4}, "must be a multiple of 'micro_batch'"),
        ("sft", {"lora_rank": 8}, "Did you mean 'lora_r'"),
        ("sft", {"lr_scheduler_type": "wild"}, "lr_scheduler_type"),
        ("sft", {"training": "lor"}, "training"),
        ("sft", {"warmup_steps": -1}, "warmup_steps"),
        ("magic", {}, "Choose among: sft"),
    ],
)
def test_what_does_not_go_together_is_said_with_the_way_out(method: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        make_plan(TINY, method_name=method, overrides=given)


def test_activations_are_made_again_only_where_they_would_not_fit() -> None:
    assert make_plan(QWEN).value("checkpointing") is False
    small = replace(QWEN, machine=replace(GPU, gpu_memory=3 * GIB), lengths=Lengths((4000,), exact=True))
    assert make_plan(small).value("checkpointing") is True


def test_presets_wait_longer_the_more_they_learn() -> None:
    waits = [make_plan(TINY, preset).studio()["patience"] for preset in ("quick", "balanced", "best")]
    assert waits == sorted(waits) and waits[0] < waits[-1]


def version(characters: int) -> DatasetVersion:
    stats = {"characters": {"output": {"p95": characters}}}
    return DatasetVersion(dataset_id="d", number=1, digest="0", train_rows=1, golden_rows=0, stats=stats)


def test_labels_want_a_small_base_and_prose_a_bigger_one() -> None:
    labels, prose = advise_base(version(60), [], GPU), advise_base(version(4000), [], GPU)
    assert labels[0].name == "SmolLM2-135M-Instruct" and prose[0].parameters > 1_000_000_000
    assert all(each.reason.endswith(".") and each.source for each in labels + prose)


def test_what_serving_cannot_carry_comes_last_and_says_so() -> None:
    ranked = advise_base(version(4000), [], GPU, budget="cpu")
    assert ranked[0].fits and not ranked[-1].fits and "too many for serving on a CPU" in ranked[-1].reason
    with pytest.raises(InvalidInput, match="budget"):
        advise_base(version(60), [], GPU, budget="free")


def test_registered_bases_are_ranked_with_the_menu_and_not_twice() -> None:
    hub_id = "HuggingFaceTB/SmolLM2-135M-Instruct"
    here = Model(id="m1", project_id="p", name="ours", kind="base", hub_id=hub_id, parameters=134_515_008)
    ranked = advise_base(version(60), [here], CPU)
    assert [each.hub_id for each in ranked].count(hub_id) == 0
    assert next(each for each in ranked if each.model_id == "m1").fits


def test_a_pair_is_read_twice_and_practice_is_watched_by_practising() -> None:
    learn, prefer, practise = (make_plan(TINY, method_name=name).estimate for name in ("sft", "dpo", "grpo"))
    steps = {name: make_plan(TINY, method_name=name).steps for name in ("sft", "dpo")}
    assert prefer.tokens / steps["dpo"] == pytest.approx(2 * learn.tokens / steps["sft"], rel=0.01)
    unwatched = make_plan(replace(TINY, held_out=0), method_name="grpo").estimate
    assert practise.training_seconds > 1.5 * unwatched.training_seconds, "held-out prompts are tried as often"

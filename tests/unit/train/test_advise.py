from __future__ import annotations

from dataclasses import replace

import pytest

from studio.errors import InvalidInput
from studio.train.advice import make_plan
from studio.train.hub import MENU, on_menu
from studio.train.lengths import Lengths
from studio.train.machine import GIB, Machine
from studio.train.plan import Situation
from studio.train.shape import ModelShape
from tests.fakes.frozen_rows import TINY_CONFIG

CPU = Machine(memory=24 * GIB, cores=2)
GPU = Machine(64 * GIB, 16, gpu="NVIDIA H100", gpu_memory=80 * GIB)
TINY = Situation(ModelShape.of_config(TINY_CONFIG), "tiny", 1800, 200, Lengths((60, 70, 80), exact=True), CPU)
QWEN = replace(TINY, shape=on_menu("Qwen/Qwen3-0.6B").shape, base="Qwen3-0.6B")


@pytest.mark.parametrize(
    ("hub_id", "parameters"),
    [
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 134_515_008),
        ("Qwen/Qwen3-0.6B", 596_049_920),
        ("meta-llama/Llama-3.2-1B-Instruct", 1_235_814_400),
    ],
)
def test_the_formula_gives_the_published_parameter_counts(hub_id: str, parameters: int) -> None:
    assert on_menu(hub_id).shape.parameters == parameters


def test_the_formula_counts_untied_embeddings_and_lora_of_an_8b() -> None:
    sizes = {"vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36}
    heads = {"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": False}
    assert ModelShape.of_config({"model_type": "qwen3", **sizes, **heads}).parameters == 8_190_735_360
    assert round(QWEN.shape.lora_parameters(16) / 1e6, 1) == 10.1


def test_every_value_has_a_reason_and_a_source() -> None:
    for choice in make_plan(TINY).values:
        assert choice.reason.endswith(".") and choice.source


def test_a_tiny_model_is_shown_4800_rows_at_its_own_rate() -> None:
    plan = make_plan(TINY)
    assert plan.steps == pytest.approx(300, abs=2)
    assert (plan.value("learning_rate"), plan.value("lora_r")) == (1e-2, 16)
    assert make_plan(TINY, overrides={"training": "full"}).value("learning_rate") == 6e-3


def test_presets_differ_in_how_much_is_learned() -> None:
    quick, balanced, best = (make_plan(TINY, preset).steps for preset in ("quick", "balanced", "best"))
    assert quick < balanced < best


def test_a_real_model_gets_a_capped_rate_and_rows_decide_epochs_and_rank() -> None:
    plan = make_plan(QWEN)
    assert plan.value("learning_rate") == 5e-4
    assert (plan.value("num_train_epochs"), plan.value("lora_r")) == (6, 16)
    assert make_plan(replace(QWEN, rows=100)).value("num_train_epochs") == 10
    full = make_plan(QWEN, overrides={"training": "full"})
    assert full.value("learning_rate") == 5e-5


def test_overrides_replace_the_advice_and_say_so() -> None:
    plan = make_plan(TINY, overrides={"learning_rate": 1e-3, "max_steps": 10})
    chosen = next(choice for choice in plan.values if choice.name == "learning_rate")
    assert (chosen.value, chosen.source, plan.steps) == (1e-3, "you", 10)
    assert plan.recipe()["max_steps"] == 10


@pytest.mark.parametrize("wrong", [{"learning_rate": -1}, {"lora_r": 0}, {"colour": "red"}, {"training": "magic"}])
def test_a_value_that_cannot_be_used_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        make_plan(TINY, overrides=wrong)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(InvalidInput, match="quick, balanced, best"):
        make_plan(TINY, "slow")


def test_the_longest_row_is_not_cut_unless_the_model_cannot_read_it() -> None:
    long = replace(TINY, lengths=Lengths((100, 900), exact=True))
    assert make_plan(long).value("max_length") == 1024
    assert make_plan(replace(TINY, lengths=Lengths((5000,), exact=True))).value("max_length") == 1024


def test_rows_of_very_different_length_are_grouped_only_where_nothing_gentler_helps_and_a_run_is_long() -> None:
    def order_of(situation: Situation, method: str, **chosen: object) -> tuple[str, str]:
        plan = make_plan(situation, method_name=method, overrides=chosen)
        value = plan.recipe().get("train_sampling_strategy", "random")
        return value, next(choice.reason for choice in plan.values if choice.name == "order")

    uneven = replace(TINY, lengths=Lengths((30, 30, 30, 400), exact=True))
    assert "similar length" in order_of(TINY, "sft")[1]
    value, reason = order_of(uneven, "sft")
    assert value == "random" and "changes nothing" in reason
    value, reason = order_of(uneven, "orpo", max_steps=100)
    assert value == "group_by_length" and "a little less" in reason
    value, reason = order_of(uneven, "orpo", max_steps=99)
    assert value == "random" and "short run" in reason
    on_gpu = replace(uneven, machine=GPU)
    assert order_of(on_gpu, "sft", max_steps=300)[0] == "group_by_length"
    assert order_of(on_gpu, "sft", max_steps=50)[0] == "random"


def test_memory_is_judged_against_the_machine() -> None:
    assert make_plan(TINY).estimate.fit == "fits"
    big = replace(TINY, shape=on_menu("Qwen/Qwen3-1.7B").shape, machine=Machine(memory=4 * GIB, cores=2))
    assert make_plan(big).estimate.fit == "too big"


def test_a_measured_speed_replaces_the_guess_and_narrows_the_range() -> None:
    guess, measured = make_plan(TINY).estimate, make_plan(replace(TINY, speed=5000.0)).estimate
    assert measured.tokens_per_second == 5000.0 and measured.measured
    assert measured.seconds_range[1] / measured.seconds_range[0] < guess.seconds_range[1] / guess.seconds_range[0]


def test_a_gpu_turns_on_bf16_and_a_cpu_stays_in_fp32() -> None:
    on_gpu = make_plan(replace(QWEN, machine=Machine(64 * GIB, 8, "NVIDIA A100", 80 * GIB))).recipe()
    assert (on_gpu["bf16"], on_gpu["use_cpu"], on_gpu["dtype"]) == (True, False, "bfloat16")
    on_cpu = make_plan(TINY).recipe()
    assert (on_cpu["bf16"], on_cpu["use_cpu"], on_cpu["dtype"]) == (False, True, "float32")


def test_accumulation_keeps_the_rows_per_step() -> None:
    recipe = make_plan(QWEN).recipe()
    assert recipe["per_device_train_batch_size"] * recipe["gradient_accumulation_steps"] == 8


def test_checkpoints_and_evaluations_coincide_so_that_the_best_can_be_kept() -> None:
    recipe = make_plan(TINY).recipe()
    assert recipe["load_best_model_at_end"] and recipe["save_steps"] == recipe["eval_steps"]
    without = make_plan(replace(TINY, held_out=0)).recipe()
    assert without["eval_strategy"] == "no" and "load_best_model_at_end" not in without


def test_every_model_of_the_menu_has_a_plan_and_a_licence() -> None:
    for each in MENU:
        assert make_plan(replace(TINY, shape=each.shape, base=each.name)).steps > 0
        assert each.licence and each.note

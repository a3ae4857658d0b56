from __future__ import annotations

from dataclasses import replace

import pytest

from studio.train.estimate import Load, Speed, Watched, badges, check, estimate, fixes, load_of, memory_parts
from studio.train.hub import on_menu
from studio.train.machine import GIB, Device, Machine
from studio.train.shape import ModelShape
from tests.fakes.frozen_rows import TINY_CONFIG

TINY = ModelShape.of_config(TINY_CONFIG)
QWEN = on_menu("Qwen/Qwen3-1.7B").shape
CPU, A10 = Machine(24 * GIB, 2), Machine(64 * GIB, 8, "NVIDIA A10", 24 * GIB)
LOAD = Load(16, 8, 1024, 1_000_000)
FULL = replace(LOAD, lora_rank=None, training="full")


def test_every_weight_costs_its_gradient_and_two_moments() -> None:
    full, lora = memory_parts(QWEN, FULL, A10), memory_parts(QWEN, LOAD, A10)
    assert full["weights"] == lora["weights"] == QWEN.parameters * 2
    assert full["gradients"] + full["optimizer"] == QWEN.parameters * 2 * 3 and "adapter" not in full
    assert lora["adapter"] == lora["gradients"] == QWEN.lora_parameters(16) * 4


def test_a_four_bit_base_is_a_third_and_its_vocabulary_is_not_squeezed() -> None:
    qlora = memory_parts(QWEN, replace(LOAD, training="qlora"), A10)
    assert QWEN.embedding_parameters * 2 < qlora["weights"] < QWEN.parameters * 2 * 0.55


def test_dora_adds_one_number_per_output() -> None:
    extra = QWEN.lora_parameters(16, dora=True) - QWEN.lora_parameters(16)
    assert extra == QWEN.layers * sum(each.outputs for each in QWEN.linears)


@pytest.mark.parametrize(
    ("method", "doubled", "reference"), [("sft", 1, False), ("dpo", 2, True), ("orpo", 2, False), ("kto", 1, True)]
)
def test_pairs_hold_two_sequences_and_a_reference_is_a_second_model(method: str, doubled: int, reference: bool) -> None:
    plain, found = memory_parts(QWEN, FULL, A10), memory_parts(QWEN, replace(FULL, method=method), A10)
    assert found["activations"] == plain["activations"] * doubled
    assert ("reference model" in found) is reference
    assert "reference model" not in memory_parts(QWEN, replace(LOAD, method=method), A10), "an adapter is taken off"


def test_practising_needs_room_for_the_answers_being_written() -> None:
    found = memory_parts(QWEN, replace(LOAD, method="grpo", new_tokens=256), A10)
    assert found["answers being written (KV)"] == 8 * 1280 * QWEN.layers * 2 * QWEN.keys * 2
    assert "vocabulary scores" not in memory_parts(QWEN, replace(LOAD, method="reward"), A10)


def test_checkpointing_and_learned_positions_only_save_most_of_their_part() -> None:
    plain = memory_parts(QWEN, LOAD, CPU)
    saved = memory_parts(QWEN, replace(LOAD, checkpointing=True, scored_share=0.25), CPU)
    assert saved["activations"] < plain["activations"] / 8
    assert saved["vocabulary scores"] == pytest.approx(plain["vocabulary scores"] / 4)


def test_time_comes_from_a_rehearsal_with_what_watching_costs_or_from_an_earlier_run_as_it_was() -> None:
    watched = replace(LOAD, watched=Watched.of(100, 10, held_out=30, golden=20, row_tokens=100, answer_tokens=42))
    assert watched.watched.written == 11 * 50
    rehearsed = estimate(TINY, watched, CPU, Speed(1000, "rehearsal", 0.1))
    assert rehearsed.training_seconds == pytest.approx(1000 + 11 * (30 + 25) * 100 / 3000 + 55, abs=1)
    assert estimate(TINY, watched, CPU, 1000.0).training_seconds == 1000
    guessed = estimate(TINY, watched, CPU)
    assert (guessed.source, guessed.measured, rehearsed.measured) == ("arithmetic", False, True)
    assert guessed.seconds_range[1] / guessed.seconds_range[0] > rehearsed.seconds_range[1] / rehearsed.seconds_range[0]


def test_cost_is_hours_times_price_and_nothing_without_a_price() -> None:
    assert estimate(TINY, LOAD, CPU).cost_usd is None
    made = estimate(TINY, LOAD, CPU, Speed(1_000_000 / 3588, "rehearsal"), price_per_hour=2.5)
    assert made.cost_usd == pytest.approx(2.5, rel=0.01) and made.to_dict()["cost_usd"] == made.cost_usd


def device(gib: float, index: int = 0) -> Device:
    return Device("cuda", index, "NVIDIA A10", int(gib * GIB), int(gib * GIB), 8.6, 8)


def test_every_device_has_a_badge_and_only_those_handed_out_are_usable() -> None:
    cpu = Device("cpu", 0, "2 CPU cores", 24 * GIB, 20 * GIB, cores=2)
    found = badges(TINY, LOAD, [device(24), device(24, 1), cpu], worker_gpus=1)
    assert [(badge.fit, badge.usable, badge.fix) for badge in found] == [
        ("fits", True, None),
        ("fits", False, None),
        ("fits", True, None),
    ]


@pytest.mark.parametrize(
    ("load", "gib", "changed"),
    [
        (LOAD, 16, {"micro_batch"}),
        (replace(FULL, batch=2), 24, {"checkpointing"}),
        (replace(FULL, batch=1, checkpointing=True), 12, {"training", "lora_r"}),
        (replace(LOAD, batch=1, checkpointing=True), 6, {"training", "lora_r"}),
    ],
)
def test_what_does_not_fit_comes_with_a_setting_that_does(load: Load, gib: float, changed: set[str]) -> None:
    (badge,) = badges(QWEN, load, [device(gib)], worker_gpus=1)
    assert badge.fit != "fits" and badge.fix is not None
    found = [fix for fix in fixes(QWEN, load, device(gib).machine) if set(fix.overrides) == changed]
    assert found, f"none of {fixes(QWEN, load, device(gib).machine)}"
    values = {"training": load.training, "lora_r": load.lora_rank or 16, "batch_size": load.batch, **found[0].overrides}
    values.setdefault("checkpointing", load.checkpointing)
    again = load_of("sft", values, values.get("max_length", load.row_tokens), load.tokens)
    assert badges(QWEN, again, [device(gib)])[0].fit == "fits"


def test_several_settings_are_turned_where_one_is_not_enough_and_a_smaller_base_is_the_last_resort() -> None:
    together = fixes(QWEN, replace(FULL, row_tokens=4096), device(5.2).machine)[0]
    assert len(together.overrides) >= 3 and not together.hub_id
    smaller = fixes(on_menu("Qwen/Qwen3-1.7B").shape, replace(FULL, row_tokens=256, batch=1), Machine(2 * GIB, 2))[0]
    assert smaller.hub_id and "smaller base" in smaller.label


def test_reality_is_compared_and_unknown_numbers_are_left_out() -> None:
    plan = {"estimate": estimate(TINY, LOAD, CPU, Speed(1000, "rehearsal")).to_dict()}
    memory = sum(plan["estimate"]["memory"].values()) >> 20
    found = check(plan, {"peak_memory_mb": memory / 0.9, "wall_s": 2000, "tokens": 1_000_000})
    assert found["memory_error"] == pytest.approx(-0.1, abs=0.01) and found["memory_held"]
    assert found["time_error"] == pytest.approx(-0.5, abs=0.01) and not found["time_held"]
    assert found["sentence"] == "Estimated memory 10% too low and time 50% too low."
    assert check(plan, {}) == {} and check({}, {"wall_s": 3}) == {}
    assert "to the point" in check(plan, {"wall_s": 1001})["sentence"]


def test_a_busy_machine_is_said_beside_a_time_that_was_missed() -> None:
    plan = {"estimate": estimate(TINY, LOAD, CPU, Speed(1000, "rehearsal")).to_dict()}
    busy = {"wall_s": 5000, "load": {"start": 1.0, "end": 9.8, "cores": 2}, "device": "cpu"}
    assert "The machine was busy (load 9.8 on 2 cores)" in check(plan, busy)["sentence"]
    alone = {"start": 0.3, "end": 2.4, "cores": 2}
    for calm in ({"load": alone}, {"load": {}}, {"device": "cuda"}):
        assert "busy" not in check(plan, busy | calm)["sentence"]

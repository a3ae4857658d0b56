"""What the studio writes is what the installed TRL reads: keys, every method's advised recipe, kinds of adapters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.train import recipe
from studio.train.advice import make_plan
from studio.train.hub import on_menu
from studio.train.lengths import Lengths
from studio.train.machine import GIB, Machine
from studio.train.methods import METHODS
from studio.train.plan import Situation
from studio.train.recipe_text import known_keys, parsed
from studio.train.recipes.process import prepare
from studio.train.shape import ModelShape
from tests.fakes.frozen_rows import TINY_CONFIG

pytestmark = pytest.mark.slow
SHAPE = ModelShape.of_config(TINY_CONFIG)
LENGTHS = Lengths((60, 70), exact=True)
TINY = Situation(SHAPE, "tiny", 900, 100, LENGTHS, Machine(8 * GIB, 2), answers=LENGTHS, judged=(600, 300))
ON_GPU = replace(
    TINY,
    shape=on_menu("Qwen/Qwen3-0.6B").shape,
    machine=Machine(64 * GIB, 8, gpu="NVIDIA H100", gpu_memory=80 * GIB),
)


def read_by_trl(folder: Path, method: str, made: dict[str, Any]) -> Any:
    prepare()
    from studio.train.recipes.setup import load
    from studio.train.recipes.trainers import trainer_kind

    recipe.write(folder, made, {"method": method})
    return load(folder, trainer_kind(METHODS[method].trainer).config)


def test_the_list_of_known_keys_is_the_installed_trl_s() -> None:
    prepare()
    from studio.train.recipes.known_keys import LIST, as_text

    assert LIST.read_text() == as_text(), "run: python -m studio.train.recipes.known_keys"


@pytest.mark.parametrize("method", METHODS)
def test_trl_reads_every_method_s_recipe_and_so_does_the_studio(method: str, tmp_path: Path) -> None:
    made = make_plan(TINY, method_name=method).recipe()
    setup = read_by_trl(tmp_path, method, made)
    assert setup.training.learning_rate == made["learning_rate"] and setup.model.lora_r == 16
    assert made.keys() <= known_keys(METHODS[method].trainer).keys()
    assert parsed(recipe.as_yaml(made), method).recipe == made
    for key, value in METHODS[method].keys.items():
        assert getattr(setup.training, key) == value or key in ("num_generations",)


@pytest.mark.parametrize(
    ("kind", "key"), [("rslora", "use_rslora"), ("dora", "use_dora"), ("qlora", "load_in_4bit"), ("full", None)]
)
def test_every_kind_of_adapter_is_a_key_of_trl_s(kind: str, key: str | None, tmp_path: Path) -> None:
    setup = read_by_trl(tmp_path, "sft", make_plan(TINY, overrides={"training": kind}).recipe())
    assert setup.model.use_peft == (kind != "full")
    assert key is None or getattr(setup.model, key) is True


def test_a_gpu_s_recipe_holds_16_bits_and_keeps_activations_where_they_fit(tmp_path: Path) -> None:
    made = make_plan(ON_GPU).recipe()
    assert (made["bf16"], made["use_cpu"], made["activation_checkpointing"]) == (True, False, False)
    small = replace(ON_GPU, machine=replace(ON_GPU.machine, gpu_memory=4 * GIB), lengths=Lengths((4000,), exact=True))
    assert make_plan(small).recipe()["activation_checkpointing"] is True

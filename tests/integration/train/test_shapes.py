"""Sizes from arithmetic against the libraries' own models, made without content."""

from __future__ import annotations

from typing import Any

import pytest

from studio.train.estimate import Load
from studio.train.estimate.memory import activation_bytes
from studio.train.hub import on_menu
from studio.train.recipes.process import prepare
from studio.train.shape import FAMILIES, ModelShape
from tests.full_proof import once_more

pytestmark = pytest.mark.slow
SMALL = {"vocab_size": 320, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3}
SMALL |= {"num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
EXPERTS = {"qwen3_moe": {"num_experts": 4, "moe_intermediate_size": 48}, "mixtral": {"num_local_experts": 4}}
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"attention_bias": True, "mlp_bias": True},
    {"tie_word_embeddings": False},
    {"tie_word_embeddings": True},
    {"head_dim": 24},
)


@pytest.fixture(autouse=True)
def quiet_threads() -> None:
    """What torch must find when it is imported first here."""
    prepare()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_parameters_of_every_family_are_counted_to_the_last(family: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    for variant in VARIANTS:
        if "head_dim" in variant and family.startswith("phi"):
            continue
        config = AutoConfig.for_model(family, **{**SMALL, **EXPERTS.get(family, {}), **variant})
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        counted = ModelShape.of_config(config.to_dict())
        assert counted.is_exact
        assert counted.parameters == sum(each.numel() for each in model.parameters()), variant


@pytest.mark.parametrize(
    "hub_id", ["HuggingFaceTB/SmolLM2-135M-Instruct", pytest.param("Qwen/Qwen3-0.6B", marks=once_more)]
)
def test_activations_by_arithmetic_are_within_a_sixth_of_a_dry_run(hub_id: str) -> None:
    from transformers import AutoConfig

    from studio.train.recipes.dry import kept_bytes

    chosen = on_menu(hub_id)
    config = AutoConfig.for_model(**chosen.config)
    for dtype, width, rank in (("bfloat16", 2, None), ("float32", 4, 16)):
        size: dict[str, Any] = {"dtype": dtype, "lora_rank": rank}
        counted = kept_bytes(config, rows=2, row_tokens=256, checkpointing=False, **size)
        load = Load(rank, 2, 256, 1, training="full" if rank is None else "lora")
        assert activation_bytes(chosen.shape, load, width) == pytest.approx(counted, rel=1 / 6)
        assert kept_bytes(config, rows=2, row_tokens=256, checkpointing=True, **size) < counted / 10

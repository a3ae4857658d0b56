"""The older library's words for each architecture, and what it has no word for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.train.v4_config import lost_in_v4, v4_config

DEFAULT = {"rope_type": "default", "rope_theta": 50000.0}
PARTLY = DEFAULT | {"partial_rotary_factor": 0.25}
S, F = "sliding_attention", "full_attention"
LONG = {
    "rope_type": "longrope",
    "rope_theta": 1e4,
    "short_factor": [1.0],
    "long_factor": [2.0],
    "original_max_position_embeddings": 4096,
}
GEMMA3_ROPE = {
    F: {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
    S: {"rope_type": "default", "rope_theta": 1e4},
}


@pytest.mark.parametrize(
    "kind",
    ["llama", "qwen2", "qwen3", "mistral", "gemma2", "phi3", "granite", "starcoder2", "mixtral", "olmo2", "cohere"],
)
def test_a_plain_rotary_base_gets_its_old_name(kind: str) -> None:
    config = v4_config({"model_type": kind, "dtype": "bfloat16", "rope_parameters": DEFAULT})
    assert config == {"model_type": kind, "torch_dtype": "bfloat16", "rope_theta": 50000.0, "rope_scaling": None}


@pytest.mark.parametrize("kind", ["phi", "stablelm", "glm4", "nemotron"])
def test_a_share_of_each_head_that_is_turned_stands_beside_it(kind: str) -> None:
    config = v4_config({"model_type": kind, "rope_parameters": PARTLY})
    assert (config["rope_theta"], config["partial_rotary_factor"], config["rope_scaling"]) == (50000.0, 0.25, None)


def test_gpt_neox_has_names_of_its_own() -> None:
    config = v4_config({"model_type": "gpt_neox", "rope_parameters": PARTLY})
    assert (config["rotary_emb_base"], config["rotary_pct"]) == (50000.0, 0.25)
    assert "rope_theta" not in config and "partial_rotary_factor" not in config


def test_gpt2_has_no_rotary_positions_and_stays_as_it_is() -> None:
    assert v4_config({"model_type": "gpt2", "n_embd": 64}) == {"model_type": "gpt2", "n_embd": 64}


def test_qwen3_moe_counts_its_experts_under_the_old_name() -> None:
    config = v4_config({"model_type": "qwen3_moe", "num_local_experts": 128})
    assert config == {"model_type": "qwen3_moe", "num_experts": 128}
    assert v4_config({"model_type": "mixtral", "num_local_experts": 8})["num_local_experts"] == 8


def test_phi3_is_told_of_long_texts_in_three_words_and_one_beside_them() -> None:
    config = v4_config({"model_type": "phi3", "rope_parameters": LONG})
    assert config["rope_scaling"] == {"type": "longrope", "short_factor": [1.0], "long_factor": [2.0]}
    assert config["original_max_position_embeddings"] == 4096
    assert lost_in_v4({"model_type": "phi3", "rope_parameters": LONG}) == []


@pytest.mark.parametrize(
    ("layers", "period"), [([S, F], 2), ([S, S, S, F, S, S, S, F], 4), ([F, F], 1), ([S, S], 3), ([S] * 5 + [F, S], 6)]
)
def test_the_order_of_sliding_layers_is_told_as_a_period(layers: list[str], period: int) -> None:
    config = v4_config({"model_type": "gemma3_text", "layer_types": layers, "rope_parameters": GEMMA3_ROPE})
    assert config["sliding_window_pattern"] == period
    assert (config["rope_theta"], config["rope_local_base_freq"]) == (1e6, 1e4)
    assert v4_config({"model_type": "cohere2", "layer_types": layers})["sliding_window_pattern"] == period


@given(st.lists(st.sampled_from([S, F]), min_size=1, max_size=14))
def test_a_period_is_told_exactly_where_the_layers_follow_it(layers: list[str]) -> None:
    found = {"model_type": "gemma3_text", "layer_types": layers}
    period = v4_config(found).get("sliding_window_pattern", 0)
    assert bool(period) == (lost_in_v4(found) == [])
    if period:
        assert [S if at % period else F for at in range(1, len(layers) + 1)] == layers


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model_type": "llama", "rope_parameters": {"rope_type": "proportional"}}, "stretched by proportional"),
        ({"model_type": "phi3", "rope_parameters": LONG | {"factor": 4.0}}, "stretched by longrope"),
        ({"model_type": "phi3", "rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, "stretched by yarn"),
        ({"model_type": "olmo3", "rope_parameters": GEMMA3_ROPE}, "each kind of layer"),
        ({"model_type": "gemma3_text", "rope_parameters": {F: DEFAULT, S: LONG}}, "in its sliding layers"),
        ({"model_type": "gemma3_text", "layer_types": [F, S, S]}, "order of sliding layers"),
        ({"model_type": "gemma2", "layer_types": [F, S]}, "order of sliding layers"),
        ({"model_type": "qwen2", "layer_types": [F, S]}, "order of sliding layers"),
        ({"model_type": "mistral", "layer_types": [F, S]}, "order of sliding layers"),
        ({"model_type": "gemma2", "use_bidirectional_attention": True}, "later tokens"),
        ({"text_config": {"rope_parameters": {"rope_type": "proportional"}}}, "stretched by proportional"),
    ],
)
def test_what_it_has_no_word_for_is_named(config: dict[str, Any], says: str) -> None:
    assert [reason for reason in lost_in_v4(config) if says in reason]


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "gemma2", "layer_types": [S, F, S]},
        {"model_type": "qwen2", "layer_types": [F, F], "use_sliding_window": False},
        {"model_type": "mistral", "layer_types": [S, S]},
        {"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2.0}},
        {"model_type": "llama", "rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        {"model_type": "gpt2"},
    ],
)
def test_what_it_can_be_told_is_not_held_against_a_model(config: dict[str, Any]) -> None:
    assert lost_in_v4(config) == []


@pytest.mark.parametrize("kind", ["llama", "gpt_neox", "qwen3_moe", "phi3", "gemma3_text", "cohere2"])
@pytest.mark.parametrize("rope", [DEFAULT, PARTLY, LONG, GEMMA3_ROPE])
def test_saying_it_twice_changes_nothing(kind: str, rope: dict[str, Any]) -> None:
    once = v4_config({"model_type": kind, "rope_parameters": rope, "layer_types": [S, F], "num_local_experts": 4})
    assert v4_config(once) == once

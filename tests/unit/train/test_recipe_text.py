from __future__ import annotations

import pytest
import yaml

from studio.errors import InvalidInput
from studio.train import recipe
from studio.train.recipe_text import exported, known_keys, parsed


def test_what_is_given_out_comes_back_the_same() -> None:
    values = {**recipe.PATHS, "learning_rate": 1e-5, "beta": 0.1, "loss_type": ["sigmoid", "sft"]}
    studio = recipe.STUDIO_DEFAULTS | {"method": "dpo", "trainer": "dpo", "patience": 2}
    text = exported(values, studio)
    back = parsed(text)
    assert (back.method.name, back.recipe, back.studio) == ("dpo", values, studio)
    assert yaml.safe_load(text) == values, "the rest travels in comments, which TRL skips"
    assert "trl dpo --config" in text


@pytest.mark.parametrize(
    ("line", "near"),
    [("learning_rat: 0.1", "learning_rate"), ("lora_rank: 8", "lora_r"), ("max_seq_length: 64", "max_length")],
)
def test_an_unknown_key_names_the_nearest_valid_one(line: str, near: str) -> None:
    with pytest.raises(InvalidInput, match=near):
        parsed(line)


def test_a_key_of_another_method_is_unknown_here() -> None:
    assert parsed("beta: 0.2", "dpo").recipe["beta"] == 0.2
    with pytest.raises(InvalidInput, match="beta"):
        parsed("beta: 0.2", "sft")


def test_a_recipe_by_hand_may_name_the_studio_s_own_keys() -> None:
    back = parsed("learning_rate: 2e-4\nstudio: {method: kto, patience: 2}")
    assert (back.method.name, back.studio["patience"], back.recipe["learning_rate"]) == ("kto", 2, 2e-4)
    with pytest.raises(InvalidInput, match="patience"):
        parsed("studio: {patince: 2}\nseed: 1")


def test_where_things_are_is_the_studio_s_business() -> None:
    text = "model_name_or_path: Qwen/Qwen3-0.6B\noutput_dir: /etc\ndatasets: [{path: x}]\nseed: 3"
    assert parsed(text).recipe == {**recipe.PATHS, "seed": 3}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("- a\n- b", "key: value"),
        ("a: [1, 2", "not valid YAML"),
        ("learning_rate: fast", "must be a number"),
        ("use_peft: 3", "true or false"),
        ("lora_r: 2.5", "whole number"),
        ("trust_remote_code: true", "Remove the line"),
        ("push_to_hub: true", "publish"),
        ("studio: {rewards: [{name: reward_model, folder: /elsewhere}]}\nseed: 1", "one of the run's"),
        ("studio: {rewards: [{name: reward_model, folder: ../x}]}\nseed: 1", "one of the run's"),
        ("studio: {rewards: [exact_match]}\nseed: 1", "list of checks"),
        ("hub_token: hf_secret", "in the clear"),
        ("chat_template_path: /etc/passwd", "worker's machine"),
        ("attn_implementation: somebody/kernel", "code on the Hub"),
        ("# studio: {oops\nseed: 1", "not JSON"),
    ],
)
def test_what_cannot_be_read_is_said_in_words(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        parsed(text)


def test_every_trainer_s_keys_are_known_without_importing_trl() -> None:
    for trainer in ("sft", "dpo", "kto", "orpo", "cpo", "reward", "grpo"):
        assert {"learning_rate", "lora_r", "model_name_or_path", "dataset_name"} <= known_keys(trainer).keys()
    assert "num_generations" in known_keys("grpo") and "num_generations" not in known_keys("dpo")

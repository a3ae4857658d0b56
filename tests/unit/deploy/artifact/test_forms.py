"""Merged always; the adapter alone only where a server would lose nothing of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.tables import Model
from studio.deploy.artifact import adapter_of, chosen_form, export, forms
from studio.deploy.targets.port import Place
from studio.errors import Conflict, InvalidInput
from studio.settings import Settings
from tests.fakes.weights import adapter_folder, model_folder, safetensors

Tuned = Callable[..., Model]


@pytest.fixture
def tuned(artifacts: Artifacts, tmp_path: Path) -> Tuned:
    """A tuned model with its base and its adapter in the store; keywords change the adapter."""

    def make(model_type: str = "llama", spoil: Callable[[Path], object] | None = None, **adapter: Any) -> Model:
        base = artifacts.save_folder(model_folder(tmp_path / "base", model_type))
        folder = adapter_folder(tmp_path / "adapter", **adapter)
        if spoil:
            spoil(folder)
        kept = {"digest": artifacts.save_folder(folder), "base": base}
        merged = artifacts.save_folder(model_folder(tmp_path / "merged", model_type, merged=True))
        return Model(project_id="p", name="triage-1", kind="tuned", digest=merged, facts={"adapter": kept})

    return make


@pytest.mark.parametrize("kind", ["vllm", "vllm_server", "tgi"])
def test_a_plain_adapter_is_pushed_alone_where_the_target_lays_it_over_the_base(
    artifacts: Artifacts, tuned: Tuned, kind: str
) -> None:
    chosen = chosen_form(artifacts, tuned(), kind)
    assert chosen.form == "adapter" and "lays it over its base" in chosen.why


def test_what_peft_writes_for_plain_lora_is_known(artifacts: Artifacts, tuned: Tuned) -> None:
    told = json.loads((Path(__file__).parent / "peft_lora.json").read_text())
    assert forms(artifacts, tuned(**told)).adapter


def test_rank_stabilised_lora_is_known_everywhere(artifacts: Artifacts, tuned: Tuned) -> None:
    assert forms(artifacts, tuned(use_rslora=True), "tgi").adapter


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"rank_pattern": {"q_proj": 4}}, "rank differs"),
        ({"alpha_pattern": {"q_proj": 4}}, "scale differs"),
        ({"modules_to_save": ["lm_head"]}, "whole layers"),
        ({"bias": "lora_only"}, "biases"),
        ({"target_parameters": ["experts.gate_up_proj"]}, "experts"),
        ({"trainable_token_indices": [5]}, "embeddings"),
        ({"layer_replication": [[0, 4]]}, "repeats"),
        ({"fan_in_fan_out": True}, "turned round"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"r": 0}, "rank"),
        ({"init_lora_weights": "pissa_niter_4"}, "changes the base's weights"),
        ({"init_lora_weights": "olora"}, "changes the base's weights"),
        ({"lora_bias": True}, "lora_bias"),
        ({"a_feature_of_tomorrow": {"on": True}}, "a_feature_of_tomorrow"),
        ({"layers": ("q_proj", "lm_head")}, "vocabulary"),
        ({"layers": ("embed_tokens",)}, "vocabulary"),
    ],
)
def test_what_a_server_drops_without_a_word_forces_the_merge(
    artifacts: Artifacts, tuned: Tuned, config: dict[str, Any], reason: str
) -> None:
    model = tuned(**config)
    assert reason in " ".join(forms(artifacts, model).reasons)
    chosen = chosen_form(artifacts, model, "vllm")
    assert chosen.form == "merged" and chosen.why.startswith("Merged, because")
    with pytest.raises(Conflict, match=r"cannot be pushed as an adapter: .*Push it merged"):
        chosen_form(artifacts, model, "vllm", "adapter")


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"base_model.model.a.q_proj.lora_magnitude_vector": (4,)}, "not LoRA's"),
        ({"base_model.model.lm_head.weight": (4, 4)}, "not LoRA's"),
        ({"base_model.model.a.q_proj.lora_A.weight": (4, 4), "x.v_proj.lora_A.weight": (16, 4)}, "rank 4, 16"),
        ({}, "missing or not whole"),
    ],
)
def test_what_its_file_holds_counts_whatever_its_config_says(
    artifacts: Artifacts, tuned: Tuned, tensors: dict[str, tuple[int, ...]], reason: str
) -> None:
    model = tuned(spoil=lambda folder: (folder / "adapter_model.safetensors").write_bytes(safetensors(tensors)))
    assert reason in " ".join(forms(artifacts, model).reasons)


def test_a_half_written_adapter_forces_the_merge(artifacts: Artifacts, tuned: Tuned) -> None:
    model = tuned(spoil=lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"half"))
    assert "not whole" in chosen_form(artifacts, model, "vllm").why


def test_tgi_is_given_only_layers_it_looks_at(artifacts: Artifacts, tuned: Tuned) -> None:
    model = tuned(layers=("q_proj", "dense", "fc1"))
    assert "leaves out what it changes in dense, fc1" in chosen_form(artifacts, model, "tgi").why
    assert chosen_form(artifacts, model, "vllm").form == "adapter"


@pytest.mark.parametrize(("model_type", "kind"), [("gpt2", "tgi"), ("gpt2", "vllm"), ("qwen3", "tgi"), ("new", "vllm")])
def test_an_architecture_over_which_a_target_lays_no_adapters_is_merged(
    artifacts: Artifacts, tuned: Tuned, model_type: str, kind: str
) -> None:
    assert f"not known to lay adapters over {model_type}" in chosen_form(artifacts, tuned(model_type), kind).why


def test_the_embedded_server_takes_merged_weights(artifacts: Artifacts, tuned: Tuned) -> None:
    chosen = chosen_form(artifacts, tuned(), "embedded")
    assert chosen.form == "merged" and "takes merged weights only" in chosen.why


def test_a_rank_over_what_the_place_allows_is_merged(artifacts: Artifacts, tuned: Tuned) -> None:
    chosen = chosen_form(artifacts, tuned(rank=64), "vllm", place=Place(options={"max_lora_rank": 16}))
    assert "its rank 64 is over the 16" in chosen.why


def test_merged_is_taken_when_it_is_asked_for(artifacts: Artifacts, tuned: Tuned) -> None:
    assert chosen_form(artifacts, tuned(), "vllm", "merged").form == "merged"


def test_a_vllm_that_runs_already_takes_nothing_but_adapters(artifacts: Artifacts, tuned: Tuned) -> None:
    with pytest.raises(Conflict, match=r"takes adapters only, and .*DoRA.*vLLM container"):
        chosen_form(artifacts, tuned(use_dora=True), "vllm_server")
    with pytest.raises(Conflict, match="asked for merged"):
        chosen_form(artifacts, tuned(), "vllm_server", "merged")


def test_a_server_of_somebody_elses_has_its_weights_already(artifacts: Artifacts, tuned: Tuned) -> None:
    assert chosen_form(artifacts, tuned(), "external").form == "merged"
    assert chosen_form(artifacts, tuned(), "external", "adapter").form == "adapter"


def test_no_other_form_is_known(artifacts: Artifacts, tuned: Tuned) -> None:
    with pytest.raises(InvalidInput, match="merged, adapter or auto"):
        chosen_form(artifacts, tuned(), "vllm", "gguf")


def test_a_model_of_which_every_weight_was_trained_has_no_adapter(artifacts: Artifacts, settings: Settings) -> None:
    model = Model(project_id="p", name="whole", kind="tuned", digest="0" * 64)
    assert "every weight was trained" in forms(artifacts, model).reasons[0]
    assert adapter_of(artifacts, settings, model) is None


@pytest.mark.parametrize("what", ["template", "tokens"])
def test_a_template_or_tokens_of_its_own_force_the_merge(
    artifacts: Artifacts, tuned: Tuned, tmp_path: Path, what: str
) -> None:
    model = tuned()
    other = model_folder(tmp_path / "other", template="{{ other }}" if what == "template" else "{{ messages }}")
    if what == "tokens":
        told = json.loads((other / "tokenizer.json").read_text())
        told["added_tokens"] = [{"id": 2, "content": "<|new|>"}]
        (other / "tokenizer.json").write_text(json.dumps(told))
    model.digest = artifacts.save_folder(other)
    assert "its tokens or its chat template" in forms(artifacts, model).reasons[0]


def test_merges_written_in_another_way_are_the_same_tokens(artifacts: Artifacts, tuned: Tuned, tmp_path: Path) -> None:
    def save(name: str, merges: list[Any]) -> str:
        folder = model_folder(tmp_path / name)
        told = json.loads((folder / "tokenizer.json").read_text())
        told["model"]["merges"] = merges
        (folder / "tokenizer.json").write_text(json.dumps(told))
        return artifacts.save_folder(folder)

    model = tuned()
    model.digest = save("new", [["a", "b"]])
    model.facts = {"adapter": model.facts["adapter"] | {"base": save("old", ["a b"])}}
    assert forms(artifacts, model).adapter


def test_an_adapter_whose_base_is_gone_is_merged(artifacts: Artifacts, tuned: Tuned) -> None:
    model = tuned()
    model.facts = {"adapter_digest": model.facts["adapter"]["digest"]}
    assert "the base it was trained on is not here" in forms(artifacts, model).reasons


def test_the_adapters_folder_holds_its_weights_and_nothing_else(
    artifacts: Artifacts, settings: Settings, tuned: Tuned
) -> None:
    model = tuned(
        base_model_name_or_path="/home/somebody/base", spoil=lambda folder: (folder / "tokenizer.json").write_text("{}")
    )
    folder = adapter_of(artifacts, settings, model)
    assert folder and sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] is None
    assert adapter_of(artifacts, settings, model) == folder


def test_for_an_adapter_the_base_is_what_is_laid_out(artifacts: Artifacts, settings: Settings, tuned: Tuned) -> None:
    model = tuned()
    assert export(artifacts, settings, model, "adapter").name == model.facts["adapter"]["base"]
    assert export(artifacts, settings, model).name == model.digest

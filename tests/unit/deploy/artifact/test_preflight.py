"""Before anything is copied or started: what speaks against it, with the fix and a target that can."""

from __future__ import annotations

import json
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.tables import Model
from studio.deploy.artifact import ARCHITECTURES, Facts, Problem, preflight, preflight_model, quantise_options, support
from studio.deploy.artifact.architectures import able
from studio.deploy.artifact.files import FolderFiles
from studio.deploy.artifact.quantised import CONVERTER, CONVERTERS, conversion
from studio.deploy.targets.port import Place
from studio.errors import InvalidInput
from studio.settings import Settings
from studio.train import portable
from studio.train.machine import Machine
from tests.fakes.weights import adapter_folder, model_folder

looking = sys.modules["studio.deploy.artifact.preflight"]  # the package has a function of this name
KINDS = ("embedded", "tgi", "vllm", "vllm_server", "external", "endpoints", "tensorrt_llm", "sglang")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return model_folder(tmp_path / "model")


@pytest.mark.parametrize("kind", ["embedded", "tgi", "vllm"])
def test_nothing_speaks_against_a_plain_llama(folder: Path, kind: str) -> None:
    assert preflight(folder, kind) == []


@pytest.mark.parametrize(
    ("leave_out", "says"),
    [
        ("tokenizer.json", "tokenizer.json is missing"),
        ("model.safetensors", "no weights in safetensors"),
        ("config.json", "config.json is missing"),
    ],
)
def test_what_is_missing_is_named_with_the_fix(folder: Path, leave_out: str, says: str) -> None:
    (folder / leave_out).unlink()
    found = [problem for problem in preflight(folder, "vllm") if says in problem.text]
    assert found and found[0].blocking and "again" in found[0].text


def test_a_model_without_a_chat_template_cannot_answer_conversations(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text("{}")
    (found,) = preflight(folder, "embedded")
    assert "no chat template" in found.text and found.blocking
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert preflight(folder, "embedded") == []


def test_dangers_come_first_and_alone(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"")
    (folder / "tokenizer.json").unlink()
    (found,) = preflight(folder, "embedded")
    assert "pickled" in found.text and found.blocking


def test_a_pickle_beside_the_adapter_is_refused(folder: Path, tmp_path: Path) -> None:
    adapter = adapter_folder(tmp_path / "adapter")
    (adapter / "training_args.bin").write_bytes(b"")
    (found,) = preflight(Facts(FolderFiles(folder), FolderFiles(adapter)), "vllm", "adapter")
    assert found.text.startswith("Its adapter: ") and "training_args.bin" in found.text


@pytest.mark.parametrize(
    ("model_type", "kind", "offer"),
    [
        ("smollm3", "tgi", "embedded"),
        ("gpt_oss", "tgi", ""),
        ("gptj", "embedded", "vllm"),
        ("stablelm", "vllm", "tgi"),
    ],
)
def test_an_architecture_that_a_target_cannot_serve_is_blocked_and_another_offered(
    tmp_path: Path, model_type: str, kind: str, offer: str
) -> None:
    found = preflight(model_folder(tmp_path / "m", model_type), kind)
    assert found[0].blocking and found[0].offer == offer
    assert ("instead" in found[0].text) == bool(offer)


def test_a_slow_way_is_told_and_does_not_block(tmp_path: Path) -> None:
    (found,) = preflight(model_folder(tmp_path / "m", "qwen3"), "tgi")
    assert not found.blocking and "slower general path" in found.text


def test_an_architecture_nobody_tried_on_the_embedded_server_is_left_to_the_gates(tmp_path: Path) -> None:
    (found,) = preflight(model_folder(tmp_path / "m", "brand_new"), "embedded")
    assert not found.blocking and "gates will tell" in found.text


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"rope_parameters": {"rope_type": "proportional", "rope_theta": 1e4}}, "stretched by proportional"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "order of sliding layers"),
    ],
)
def test_what_tgis_transformers_has_no_word_for_is_blocked_there_only(
    tmp_path: Path, config: dict[str, Any], says: str
) -> None:
    folder = model_folder(tmp_path / "m", "qwen2", **config)
    (found,) = preflight(folder, "tgi")
    assert says in found.text and found.blocking and found.offer == "vllm"
    assert preflight(folder, "embedded") == [] and preflight(folder, "vllm") == []


def test_weights_over_the_memory_there_are_blocked_unless_they_are_shrunk(folder: Path) -> None:
    facts = Facts(FolderFiles(folder), memory=10)
    (found,) = preflight(facts, "tgi")
    assert "memory" in found.text and "quantize" in found.text and found.blocking
    shrunk = Facts(FolderFiles(folder), memory=10, options={"quantize": "bitsandbytes-nf4"})
    assert preflight(shrunk, "tgi") == []
    assert preflight(folder, "tgi", place=Place(options={"gpu_memory_gb": 1e-8})) == [found]


@pytest.mark.parametrize(
    ("kind", "place", "memory"),
    [
        ("tgi", Place(options={"gpu_memory_gb": 24}), 24_000_000_000),
        ("embedded", Place(), 80),
        ("vllm", Place(), 80),
        ("vllm", Place(url="unix:///run/docker.sock", options={"gpu": "0,1", "gpu_share": 0.5}), 80),
        ("tgi", Place(options={"gpu": "none"}), 16),
        ("tgi", Place(url="ssh://user@gpu-1"), 0),
        ("vllm_server", Place(url="http://gpu-1"), 0),
    ],
)
def test_the_memory_is_told_with_the_place_or_seen_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, kind: str, place: Place, memory: int
) -> None:
    monkeypatch.setattr(looking, "this_machine", lambda: Machine(16, 2, "GPU", 80))
    monkeypatch.setattr(looking, "host_memory", lambda: 16)
    assert looking._memory_at(kind, place) == memory


def test_a_full_disk_is_told_before_anything_is_copied(folder: Path, tmp_path: Path) -> None:
    class Huge(FolderFiles):
        def sizes(self) -> dict[str, int]:
            return super().sizes() | {"notes.txt": 1 << 60}

    (found,) = preflight(Facts(Huge(folder), room=tmp_path / "not" / "there" / "yet"), "tgi")
    assert "disk" in found.text and found.blocking
    assert preflight(Facts(Huge(folder)), "tgi") == [], "they lie there already"


@pytest.mark.parametrize("kind", ["external", "endpoints"])
def test_what_is_not_pushed_is_not_looked_at(tmp_path: Path, kind: str) -> None:
    assert preflight(tmp_path, kind) == []


def test_the_worst_comes_first(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m", "qwen3")
    (folder / "tokenizer_config.json").write_text("{}")
    assert [problem.blocking for problem in preflight(folder, "tgi")] == [True, False]


def test_a_registered_model_is_judged_in_the_store(artifacts: Artifacts, settings: Settings, folder: Path) -> None:
    model = Model(project_id="p", name="tuned", kind="tuned", digest=artifacts.save_folder(folder))
    assert preflight_model(artifacts, settings, model, "embedded") == []
    assert not (settings.root / "models").exists(), "nothing was laid out"
    gone = Model(project_id="p", name="gone", kind="tuned", digest="0" * 64)
    assert "are not here" in preflight_model(artifacts, settings, gone, "embedded")[0].text


def test_a_form_that_is_not_safe_is_a_problem_with_an_offer(
    artifacts: Artifacts, settings: Settings, folder: Path
) -> None:
    model = Model(project_id="p", name="tuned", kind="tuned", digest=artifacts.save_folder(folder))
    (found,) = preflight_model(artifacts, settings, model, "vllm", "adapter")
    assert found.blocking and found.offer == "embedded" and "Push it merged" in found.text
    assert preflight_model(artifacts, settings, model, "vllm", "auto") == []


def test_an_adapters_base_is_what_is_judged(artifacts: Artifacts, settings: Settings, tmp_path: Path) -> None:
    base = model_folder(tmp_path / "base", "llama")
    (base / "run.py").write_text("")
    adapter = artifacts.save_folder(adapter_folder(tmp_path / "adapter"))
    facts = {"adapter": {"digest": adapter, "base": artifacts.save_folder(base)}}
    merged = artifacts.save_folder(model_folder(tmp_path / "merged"))
    model = Model(project_id="p", name="tuned", kind="tuned", digest=merged, facts=facts)
    assert "run.py" in preflight_model(artifacts, settings, model, "vllm", "adapter")[0].text
    assert preflight_model(artifacts, settings, model, "vllm", "merged") == []


def test_every_row_says_something_of_every_target_and_a_reason_where_it_is_no() -> None:
    for model_type, row in ARCHITECTURES.items():
        for kind in KINDS:
            found = support(model_type, kind)
            assert found == row[kind]
            assert found.serves == "yes" or found.reason, (model_type, kind)
            assert found.adapters is False or found.serves != "no", (model_type, kind)


def test_every_offer_can_serve_what_it_is_offered_for() -> None:
    for model_type in ARCHITECTURES:
        for kind in KINDS:
            offered = able(model_type, kind)
            assert offered != kind
            assert not offered or support(model_type, offered).serves in ("yes", "slow")


def test_an_unknown_target_is_not_promised_anything() -> None:
    assert support("llama", "somewhere").serves == "unknown"
    assert support("", "tgi").serves == "no" and "this model's type" in support("", "tgi").reason


@pytest.mark.parametrize(
    ("kind", "quantize", "stored", "says"),
    [
        ("tgi", "bitsandbytes-nf4", None, ""),
        ("tgi", "awq", None, "Convert them first"),
        ("tgi", "awq", "awq", ""),
        ("tgi", "fp8", "gptq", "stored as gptq already"),
        ("vllm", "eetq", None, "has no quantize=eetq"),
        ("embedded", "fp8", None, "serves weights as they are"),
        ("embedded", "", "gptq", "Use a vLLM container"),
        ("vllm", "", "gptq", ""),
    ],
)
def test_fewer_bits_are_taken_where_the_target_can(
    tmp_path: Path, kind: str, quantize: str, stored: str | None, says: str
) -> None:
    config = {"quantization_config": {"quant_method": stored}} if stored else {}
    found = preflight(model_folder(tmp_path / "m", "llama", **config), kind, options={"quantize": quantize})
    assert [problem.blocking for problem in found] == ([True] if says else [])
    assert says in " ".join(problem.text for problem in found)


def test_each_way_to_fewer_bits_says_what_it_needs() -> None:
    for kind in ("tgi", "vllm"):
        assert all(option.needs and (option.flag or not option.converts) for option in quantise_options(kind))
    assert quantise_options("embedded") == ()
    assert all(converter.note for converter in CONVERTERS)


@pytest.mark.parametrize("method", ["awq", "gptq"])
def test_the_conversion_is_two_commands_and_the_second_makes_it_portable(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    making, after = conversion(tmp_path / "a model", method, tmp_path / "out")
    words = shlex.split(making)
    assert words[words.index("--model") + 1] == str(tmp_path / "a model") and f"auto_{method}" in words
    assert words[words.index("--from") + 1] == CONVERTER
    folder = model_folder(tmp_path / "out" / "w4", rope_parameters={"rope_type": "default", "rope_theta": 5.0})
    assert after == f"python -m studio.train.portable {tmp_path / 'out'}/*/"
    monkeypatch.setattr("sys.argv", ["portable", str(folder)])
    runpy.run_path(portable.__file__, run_name="__main__")
    assert json.loads((folder / "config.json").read_text())["rope_theta"] == 5.0


def test_where_no_maintained_tool_makes_a_format_it_is_said() -> None:
    with pytest.raises(InvalidInput, match=r"makes GGUF.*llama\.cpp"):
        conversion(Path("x"), "GGUF", Path("y"))


def test_a_problem_blocks_unless_it_says_otherwise() -> None:
    assert Problem("x").blocking and Problem("x").offer == ""


def test_a_broken_config_is_a_problem_and_no_exception(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": ["llama"], "rope_parameters": {}}))
    assert preflight(folder, "tgi")[0].blocking

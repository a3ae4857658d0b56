"""Every tool's bundle says what the run says, in keys that the tool's own parser knows."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml

from studio.errors import InvalidInput
from studio.train.recipe_text import known_keys, parsed
from studio.train.takeaway import TOOLS, Base, BundleInput, take_away
from studio.train.takeaway.bundle import pieces, write_zip, zipped
from studio.train.takeaway.families import family_of
from studio.train.takeaway.port import Files
from tests.unit.train.takeaway.conftest import BETTER, VARIANTS, WORSE, asked

Given = Callable[..., BundleInput]
KNOWN = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "known").glob("*.json")}
EVERY = [(tool.name, method) for tool in TOOLS.values() for method in tool.methods]
ABLE = pytest.mark.parametrize(("tool", "method"), EVERY, ids=lambda value: str(value))
KINDS = pytest.mark.parametrize("kind", list(VARIANTS))


def text(files: Files, name: str) -> str:
    return b"".join(pieces(files[name])).decode()


def config(files: Files, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text(files, name))
    return found


def lines(files: Files, name: str = "data/train.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in text(files, name).splitlines()]


@ABLE
def test_a_bundle_has_a_config_data_and_a_readme(given: Given, tool: str, method: str) -> None:
    files = take_away(tool).files(given(method))
    assert {"README.md", "data/train.jsonl", "data/eval.jsonl"} <= set(files)
    assert len(lines(files)) == 20 and len(lines(files, "data/eval.jsonl")) == 2
    readme = text(files, "README.md")
    for part in ("## Run", "## Bring the result back", "## What could not be expressed", "Qwen/Qwen3-0.6B"):
        assert part in readme


@KINDS
@pytest.mark.parametrize("method", TOOLS["trl"].methods)
def test_trl_reads_every_key_and_the_studio_reads_the_recipe_back(given: Given, method: str, kind: str) -> None:
    run = given(method, **VARIANTS[kind])
    files = take_away("trl").files(run)
    found, again = config(files, "recipe.yaml"), parsed(text(files, "recipe.yaml"))
    assert set(found) <= set(known_keys(again.method.trainer))
    assert found["model_name_or_path"] == "Qwen/Qwen3-0.6B" and found["dataset_name"] == "data"
    assert again.method.name == method
    assert again.recipe == run.recipe | {"model_revision": run.base.revision}


@KINDS
@pytest.mark.parametrize("method", TOOLS["axolotl"].methods)
def test_axolotl_knows_every_key(given: Given, method: str, kind: str) -> None:
    found = config(take_away("axolotl").files(given(method, **VARIANTS[kind])), "config.yml")
    known = KNOWN["axolotl"]
    assert set(found) <= set(known["keys"])
    shape = {"kto": "kto", "dpo": "dpo", "ipo": "dpo", "simpo": "dpo"}.get(method, "sft")
    for dataset in (*found["datasets"], *found["test_datasets"]):
        assert set(dataset) <= {*known["datasets"][shape], "ds_type"}


@KINDS
@pytest.mark.parametrize("method", TOOLS["llama-factory"].methods)
def test_llama_factory_knows_every_key(given: Given, method: str, kind: str) -> None:
    files = take_away("llama-factory").files(given(method, **VARIANTS[kind]))
    found, register = config(files, "train.yaml"), json.loads(text(files, "data/dataset_info.json"))
    known = KNOWN["llama-factory"]
    assert set(found) <= set(known["keys"])
    assert {found["dataset"], found["eval_dataset"]} == set(register)
    for entry in register.values():
        assert f"data/{entry['file_name']}" in files
        assert {*entry["columns"], *entry["tags"]} <= set(known["dataset"])


@KINDS
@pytest.mark.parametrize("method", TOOLS["unsloth"].methods)
def test_unsloth_knows_every_key(given: Given, method: str, kind: str) -> None:
    files = take_away("unsloth").files(given(method, **VARIANTS[kind]))
    if "config.yaml" not in files:
        compile(text(files, "train.py"), "train.py", "exec")
        trainer = {"ipo": "dpo"}.get(method, method)
        assert set(config(files, "settings.yaml")["training"]) <= set(known_keys(trainer))
        return
    found, known = config(files, "config.yaml"), KNOWN["unsloth"]["keys"]
    assert set(found) <= set(known[""])
    for section in set(found) & set(known):
        assert set(found[section]) <= set(known[section])


NUMBERS = {
    "axolotl": ("config.yml", "learning_rate lora_r num_epochs sequence_len seed warmup_steps"),
    "llama-factory": ("train.yaml", "learning_rate lora_rank num_train_epochs cutoff_len seed warmup_steps"),
}


@pytest.mark.parametrize("tool", list(NUMBERS))
def test_the_numbers_of_the_run_are_kept(given: Given, tool: str) -> None:
    file, keys = NUMBERS[tool]
    found = config(take_away(tool).files(given()), file)
    assert [found[key] for key in keys.split()] == [2e-4, 16, 2.5, 512, 3, 1]


def test_unsloth_gets_parts_of_an_epoch_as_steps(given: Given) -> None:
    training = config(take_away("unsloth").files(given()), "config.yaml")["training"]
    assert (training["num_epochs"], training["max_steps"]) == (3, 8)
    whole = config(take_away("unsloth").files(given(num_train_epochs=2)), "config.yaml")["training"]
    assert (whole["num_epochs"], whole["max_steps"]) == (2, 0)


@pytest.mark.parametrize(
    ("tool", "method"), [("axolotl", "grpo"), ("unsloth", "reward"), ("trl", "grpo"), ("llama-factory", "cpo")]
)
def test_a_method_that_a_tool_lacks_is_refused_in_a_sentence(given: Given, tool: str, method: str) -> None:
    with pytest.raises(InvalidInput, match=f"does not train with {method}"):
        take_away(tool).files(given(method))


def test_an_unknown_tool_names_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="trl, axolotl, llama-factory, unsloth"):
        take_away("autotrain")


def test_what_could_not_be_expressed_is_listed(given: Given) -> None:
    files = take_away("axolotl").files(given("sft", neftune_noise_alpha=5, lr_scheduler_kwargs={"num_cycles": 2}))
    told = text(files, "README.md").partition("## What could not be expressed")[2]
    assert "`neftune_noise_alpha: 5`" in told and "lr_scheduler_kwargs" in told
    plain = text(take_away("axolotl").files(given()), "README.md")
    assert "Nothing: every setting of the run is in the config." in plain


def test_only_the_answer_is_learned(given: Given) -> None:
    talk = [*asked(1), BETTER, {"role": "user", "content": "And order 2?"}]
    run = given(rows=[{"prompt": talk, "completion": [WORSE]}])
    messages = lines(take_away("axolotl").files(run))[0]["messages"]
    assert [message["train"] for message in messages] == [False, False, False, False, True]
    assert config(take_away("llama-factory").files(run), "train.yaml")["mask_history"] is True
    assert config(take_away("unsloth").files(run), "config.yaml")["training"]["train_on_completions"] is True


def test_rows_that_a_tool_would_skip_without_a_word_are_counted(given: Given) -> None:
    odd = {"prompt": [asked(1)[1], asked(2)[1]], "completion": [BETTER]}
    files = take_away("llama-factory").files(given(rows=[odd, {"prompt": asked(1), "completion": [BETTER]}]))
    assert len(lines(files)) == 1
    assert "1 rows are left out" in text(files, "README.md")


def test_tool_calls_travel_where_the_tool_knows_them(given: Given) -> None:
    call = {"type": "function", "function": {"name": "find", "arguments": {"order": 7}}}
    talk = [
        asked(1)[1],
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "late"},
    ]
    run = given(
        rows=[{"prompt": talk, "completion": [BETTER], "tools": "[]"}, {"prompt": asked(1), "completion": [BETTER]}]
    )
    first = lines(take_away("llama-factory").files(run))[0]["messages"]
    assert [message["role"] for message in first] == ["user", "function_call", "tool", "assistant"]
    assert json.loads(first[1]["content"]) == [call["function"]]
    assert len(lines(take_away("trl").files(run))) == 2
    for tool in ("axolotl", "unsloth"):
        files = take_away(tool).files(run)
        assert len(lines(files)) == 1 and "1 rows are left out" in text(files, "README.md")


def test_preferences_keep_their_losses(given: Given) -> None:
    both = {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.3]}
    assert config(take_away("axolotl").files(given("dpo", **both)), "config.yml")["dpo_loss_weights"] == [1.0, 0.3]
    found = config(take_away("llama-factory").files(given("dpo", **both)), "train.yaml")
    assert (found["pref_loss"], found["pref_ftx"]) == ("sigmoid", 0.3)
    assert config(take_away("axolotl").files(given("ipo")), "config.yml")["dpo_loss_type"] == ["ipo"]


def test_a_template_that_is_named_is_the_one_that_llama_factory_names() -> None:
    known = KNOWN["llama-factory"]["template_of"]
    chosen = {hub_id: family_of(Base("x", hub_id)).llama_factory for hub_id in known}
    named = {hub_id: template for hub_id, template in chosen.items() if template}
    assert named == {hub_id: known[hub_id] for hub_id in named}
    assert len(named) > 80


def test_every_base_on_the_menu_gets_its_template() -> None:
    from studio.train.hub import MENU

    known = KNOWN["llama-factory"]["template_of"]
    assert [family_of(Base("x", base.hub_id)).llama_factory for base in MENU] == [
        known.get(base.hub_id, "smollm2") for base in MENU
    ]


def test_the_template_is_explained_and_an_unknown_one_is_not_guessed(given: Given) -> None:
    files = take_away("llama-factory").files(given())
    assert text(files, "train.yaml").startswith("# template: qwen3 is what Qwen/Qwen3-0.6B speaks")
    assert config(files, "train.yaml")["enable_thinking"] is False
    strange = take_away("llama-factory").files(given(base=Base("ours", "acme/strange", template="{{ messages }}")))
    assert "template" not in config(strange, "train.yaml")
    assert "not named on purpose" in text(strange, "train.yaml")
    own = take_away("llama-factory").files(given(base=Base("tiny", template="<|im_start|>{{ role }}")))
    assert config(own, "train.yaml")["template"] == "chatml"


def test_axolotl_refuses_thumbs_for_a_base_whose_markup_it_cannot_write(given: Given) -> None:
    with pytest.raises(InvalidInput, match="ChatML or Llama 3 form only"):
        take_away("axolotl").files(given("kto", base=Base("gemma", "google/gemma-3-4b-it")))


def test_a_base_built_here_travels_in_the_zip(given: Given) -> None:
    base = Base("tiny", files={"config.json": b"{}", "model.safetensors": lambda: iter([b"we", b"ights"])})
    for tool, file, key in (("trl", "recipe.yaml", "model_name_or_path"), ("axolotl", "config.yml", "base_model")):
        files = take_away(tool).files(given(base=base))
        assert text(files, "base/model.safetensors") == "weights"
        assert config(files, file)[key] == "base"


def test_the_same_run_gives_the_same_bytes(given: Given, tmp_path: Path) -> None:
    first = zipped(take_away("trl").files(given()), "triage-trl")
    with (tmp_path / "again.zip").open("wb") as stream:
        write_zip(take_away("trl").files(given()), "triage-trl", stream)
    assert (tmp_path / "again.zip").read_bytes() == first
    with ZipFile(BytesIO(first)) as archive:
        names = archive.namelist()
        assert names == sorted(names) and all(name.startswith("triage-trl/") for name in names)
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}

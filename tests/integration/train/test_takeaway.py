"""Away and back: TRL reads every bundle, and what comes back from elsewhere is merged, proven and registered.

The other tools' own parsers run when asked for: elsewhere/make_environments.sh, then STUDIO_TEST_TOOLS=1.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import DatasetVersion, Job, Model, Project
from studio.access.actor import Actor
from studio.errors import InvalidInput
from studio.jobs.context import JobContext
from studio.jobs.folders import RunFolder
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train.methods import METHODS
from studio.train.models import Models
from studio.train.runs import Training
from studio.train.takeaway import TOOLS, Base, BundleInput, take_away
from studio.train.takeaway.bundle import pieces
from studio.train.takeaway.jobs import import_model
from studio.train.takeaway.service import Takeaways
from tests.fakes.frozen_rows import freeze_rows, make_row
from tests.integration.train.conftest import small_recipe
from tests.unit.train.takeaway.conftest import RECIPE, VARIANTS, row

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent / "elsewhere"
TOOLS_AT = Path(os.environ.get("STUDIO_TOOLS") or Path.home() / ".cache/whetstone/tools")
CHECKS = {"axolotl": "check_axolotl.py", "llama-factory": "check_llama_factory.py", "unsloth": "check_unsloth.py"}
asked_for = pytest.mark.skipif(
    os.environ.get("STUDIO_TEST_TOOLS") != "1", reason="STUDIO_TEST_TOOLS=1 runs the other tools' own parsers"
)


@pytest.fixture
def takeaways(database: Database, artifacts: Artifacts, settings: Settings) -> Takeaways:
    training = Training(database, artifacts, Jobs(database), settings)
    return Takeaways(database, artifacts, Jobs(database), settings, training)


@pytest.fixture
def version(database: Database, artifacts: Artifacts, project: Project) -> DatasetVersion:
    words = [left + right for left in "abcdefgh" for right in "abcdefgh"]
    listed = [make_row(f"The cup {word} is red.", '{"light": true}', "train") for word in words[:40]]
    golden = [make_row(f"The cup {word} is red.", '{"light": true}', "golden") for word in words[40:50]]
    return freeze_rows(database, artifacts, project.id, listed, golden)


@pytest.fixture
def base(artifacts: Artifacts, database: Database, project: Project, operator: Actor, base_folder: Path) -> Model:
    digest = artifacts.save_folder(base_folder)
    return Models(database).register_base(operator, project.id, "small", digest=digest, parameters=40_000)


def context_of(takeaways: Takeaways, job: Job) -> JobContext:
    folder = RunFolder.of(takeaways.settings.runs, job.id)
    folder.prepare(1)
    stores = {name: getattr(takeaways, name) for name in ("settings", "database", "artifacts")}
    return JobContext(job.id, 1, job.kind, job.spec, folder.work, **stores, project_id=job.project_id)


def zip_of(folder: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, Path("outputs") / path.relative_to(folder))
    return out


def test_an_adapter_from_elsewhere_becomes_a_proven_model_with_its_lineage(
    takeaways: Takeaways, version: DatasetVersion, base: Model, operator: Actor, whole_run: Any, tmp_path: Path
) -> None:
    source = tmp_path / "adapter"
    shutil.copytree(whole_run[0] / "adapter", source)
    (source / "README.md").write_text("---\nlibrary_name: peft\ntags:\n- llama-factory\n- lora\n---\n")
    (source / "chat_template.jinja").write_text("another tool's template")
    arrival = zip_of(source, tmp_path / "arrival.zip")
    job = takeaways.import_tuned(operator, base.project_id, arrival, base.id, "from elsewhere", run_id="r1")
    context = context_of(takeaways, job)
    made = Models(takeaways.database).get(import_model(context)["model_id"])
    assert (made.kind, made.parent_id, made.name) == ("tuned", base.id, "from elsewhere")
    told = made.facts["imported"]
    assert (told["kind"], told["tool"], told["taken_from_run"]) == ("adapter", "LLaMA-Factory", "r1")
    prompts = made.facts["golden"]["prompts"]
    assert prompts and any(each["tuned_tokens"] != each["base_tokens"] for each in prompts)
    files = takeaways.artifacts.manifest(made.digest)["files"]
    with takeaways.artifacts.open_file(made.digest, "tokenizer_config.json") as stream:
        assert "another tool's template" not in json.load(stream)["chat_template"]
    assert "model.safetensors" in files and not any(name.endswith((".bin", ".pt")) for name in files)
    assert import_model(context) == {"model_id": made.id}, "a second attempt finds the work done"

    back = tmp_path / "merged"
    takeaways.artifacts.checkout(made.digest, back)
    again = takeaways.import_tuned(operator, base.project_id, back, base.id, "whole")
    whole = Models(takeaways.database).get(import_model(context_of(takeaways, again))["model_id"])
    assert whole.facts["imported"]["kind"] == "model"
    assert whole.facts["golden"]["prompts"] == prompts
    assert takeaways.artifacts.manifest(whole.digest)["files"]["model.safetensors"] == files["model.safetensors"]


def test_an_adapter_for_another_base_is_refused_before_anything_is_loaded(
    takeaways: Takeaways, base: Model, operator: Actor, whole_run: Any, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    source = tmp_path / "adapter"
    shutil.copytree(whole_run[0] / "adapter", source)
    weights = load_file(source / "adapter_model.safetensors")
    wider = {name: each.repeat(1, 2) if "lora_A" in name else each for name, each in weights.items()}
    save_file({name: each.contiguous() for name, each in wider.items()}, source / "adapter_model.safetensors")
    with pytest.raises(InvalidInput, match="does not fit “small”"):
        takeaways.import_tuned(operator, base.project_id, source, base.id, "wider")


def test_trl_parses_every_recipe_that_is_taken_to_it(base_folder: Path, tmp_path: Path) -> None:
    from trl import DatasetMixtureConfig, ModelConfig, ScriptArguments, TrlParser

    from studio.train.recipes.trainers import trainer_kind

    for method in TOOLS["trl"].methods:
        for kind, changes in VARIANTS.items():
            files = take_away("trl").files(given(tmp_path, method, {**changes, "bf16": False, "use_cpu": True}))
            path = tmp_path / "recipe.yaml"
            path.write_bytes(b"".join(pieces(files["recipe.yaml"])))
            config = trainer_kind(METHODS[method].trainer).config
            parser = TrlParser((ScriptArguments, config, ModelConfig, DatasetMixtureConfig))
            script, training, model, _mixture = parser.parse_args_and_config(["--config", str(path)])
            assert (script.dataset_name, training.learning_rate, model.lora_r) == ("data", 2e-4, 16), (method, kind)


def given(folder: Path, method: str, changes: dict[str, Any], base: Base | None = None) -> BundleInput:
    """A run of twenty rows, six of them held out."""
    data = folder / f"{method}-data"
    data.mkdir(exist_ok=True)
    for name, count in (("train", 20), ("eval", 6)):
        lines = (json.dumps(row(method, number)) + "\n" for number in range(count))
        (data / f"{name}.jsonl").write_text("".join(lines))
    recipe = {**RECIPE, **METHODS[method].keys, **changes}
    return BundleInput("triage", method, base or Base("Qwen3-0.6B", "Qwen/Qwen3-0.6B"), recipe, data)


def unpacked(files: dict[str, Any], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"".join(pieces(content)))
    return folder


def python_of(tool: str) -> Path:
    found = TOOLS_AT / tool / "bin" / "python"
    if not found.exists():
        pytest.skip(f"{tool} is not installed in {TOOLS_AT}: run elsewhere/make_environments.sh")
    return found


@asked_for
@pytest.mark.parametrize("tool", list(CHECKS))
def test_a_tools_own_parser_accepts_every_bundle(tool: str, tmp_path: Path) -> None:
    python, folders = python_of(tool), []
    for method in TOOLS[tool].methods:
        for kind, changes in VARIANTS.items():
            files = take_away(tool).files(given(tmp_path, method, changes))
            if tool != "unsloth" or "config.yaml" in files:
                folders.append(unpacked(files, tmp_path / tool / f"{method}-{kind}"))
    found = _said(python, tool, folders)
    assert [each for each in found if not each["ok"]] == []
    assert len(found) == len(folders)


def _said(python: Path, tool: str, folders: list[Path]) -> list[dict[str, Any]]:
    """What a tool's parser says of each folder."""
    command = [str(python), str(HERE / CHECKS[tool]), *map(str, folders)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert found, done.stderr[-2000:]
    return found


@asked_for
def test_axolotl_would_learn_the_answer_and_nothing_else(base_folder: Path, tmp_path: Path) -> None:
    folders = [
        unpacked(
            take_away("axolotl").files(given(tmp_path, method, {}, base_that_travels(base_folder))), tmp_path / method
        )
        for method in ("sft", "dpo", "kto", "orpo", "simpo")
    ]
    found = _said(python_of("axolotl"), "axolotl", folders)
    for each in found:
        assert each["ok"], each
        assert each["prompt"].strip().endswith("assistant") and "Ticket 0 has not come." in each["prompt"], each
        assert each["learned"].strip() == '{"late": true}<|im_end|>', each
    assert len(found) == len(folders)


def base_that_travels(base_folder: Path) -> Base:
    """The session's tiny base as it lies in a zip."""
    template = (base_folder / "chat_template.jinja").read_text()
    files = {path.name: path.read_bytes() for path in base_folder.iterdir() if path.is_file()}
    return Base("small", template=template, files=files)


@asked_for
def test_trl_trains_a_bundle_as_it_is(base_folder: Path, tmp_path: Path) -> None:
    away = small_recipe(max_steps=2, save_steps=2, eval_steps=2, load_best_model_at_end=False)
    files = take_away("trl").files(given(tmp_path, "sft", {**_cpu(), **away}, base_that_travels(base_folder)))
    folder = unpacked(files, tmp_path / "bundle")
    trl = Path(sys.executable).parent / "trl"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    said = subprocess.run(
        [str(trl), "sft", "--config", "recipe.yaml"], cwd=folder, env=environment, capture_output=True
    )
    assert said.returncode == 0, said.stderr[-2000:]
    assert (folder / "checkpoints" / "adapter_model.safetensors").exists()


@asked_for
@pytest.mark.parametrize("method", ["sft", "dpo", "kto"])
def test_llama_factory_trains_a_bundle_and_its_adapter_comes_back(
    method: str, takeaways: Takeaways, base: Model, base_folder: Path, operator: Actor, tmp_path: Path
) -> None:
    python = python_of("llama-factory")
    changes = {**_cpu(), "max_steps": 2, "save_steps": 2, "eval_steps": 2}
    files = take_away("llama-factory").files(given(tmp_path, method, changes, base_that_travels(base_folder)))
    folder = unpacked(files, tmp_path / "bundle")
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [str(python), "-m", "llamafactory.cli", "train", "train.yaml", "use_cpu=true"]
    said = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    assert said.returncode == 0, said.stderr[-3000:]
    job = takeaways.import_tuned(operator, base.project_id, folder / "outputs", base.id, f"lf {method}")
    made = Models(takeaways.database).get(import_model(context_of(takeaways, job))["model_id"])
    assert made.facts["imported"]["tool"] == "LLaMA-Factory"


def _cpu() -> dict[str, Any]:
    return {"bf16": False, "use_cpu": True, "dtype": "float32", "activation_checkpointing": False, "max_length": 64}

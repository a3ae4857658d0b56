"""Launch bundles: scripts a shell reads, requests by their documented schemas, no injection by a name or option."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import validate

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project
from studio.deploy.bundles import BUNDLES, launch_bundle
from studio.deploy.bundles.port import Served, Texts
from studio.deploy.bundles.service import LaunchBundles
from studio.errors import InvalidInput, NotFound
from studio.settings import Settings

CHECKER = str(Path(sys.executable).parent / "check-jsonschema")
HEADER = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
WEIGHTS = len(HEADER).to_bytes(8, "little") + HEADER + bytes(16)
MERGED = Served("triage-v2", "llama", 2048, lineage="triage-v2, made by the run first (sft).")
ADAPTER = Served("triage-v2", "llama", 2048, form="adapter", base="meta-llama/Llama-3.2-1B", rank=16)
TOGETHER_MODEL = {
    "type": "object",
    "required": ["model_name", "model_source"],
    "additionalProperties": False,
    "properties": {
        "model_name": {"type": "string"},
        "model_source": {"type": "string"},
        "model_type": {"enum": ["model", "adapter"]},
        "hf_token": {"type": "string"},
        "description": {"type": "string"},
        "base_model": {"type": "string"},
        "lora_model": {"type": "string"},
    },
}
TOGETHER_ENDPOINT = {
    "type": "object",
    "required": ["model", "hardware", "autoscaling"],
    "additionalProperties": False,
    "properties": {
        "model": {"type": "string"},
        "hardware": {"type": "string"},
        "autoscaling": {
            "type": "object",
            "required": ["min_replicas", "max_replicas"],
            "properties": {"min_replicas": {"type": "integer"}, "max_replicas": {"type": "integer"}},
        },
        "display_name": {"type": "string"},
        "state": {"enum": ["STARTED", "STOPPED"]},
        "inactive_timeout": {"type": "integer"},
        "availability_zone": {"type": "string"},
    },
}
FIREWORKS_DEPLOYMENT = {
    "type": "object",
    "required": ["baseModel"],
    "additionalProperties": False,
    "properties": {
        "baseModel": {"type": "string"},
        "displayName": {"type": "string", "maxLength": 63},
        "minReplicaCount": {"type": "integer"},
        "maxReplicaCount": {"type": "integer"},
        "acceleratorCount": {"type": "integer"},
        "acceleratorType": {
            "enum": ["NVIDIA_A100_80GB", "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "AMD_MI300X_192GB"],
        },
    },
}
BEDROCK_JOB = {
    "type": "object",
    "required": ["jobName", "importedModelName", "roleArn", "modelDataSource"],
    "additionalProperties": False,
    "properties": {
        "jobName": {"type": "string", "pattern": r"^[a-zA-Z0-9](-*[a-zA-Z0-9\+\-\.])*$", "maxLength": 63},
        "importedModelName": {"type": "string", "pattern": r"^([0-9a-zA-Z][_-]?)+$", "maxLength": 63},
        "roleArn": {"type": "string", "pattern": r"^arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+$"},
        "modelDataSource": {
            "type": "object",
            "required": ["s3DataSource"],
            "properties": {"s3DataSource": {"type": "object", "required": ["s3Uri"]}},
        },
    },
}
SCHEMAS: dict[tuple[str, str], dict[str, Any]] = {
    ("together", "upload.json"): TOGETHER_MODEL,
    ("together", "endpoint.json"): TOGETHER_ENDPOINT,
    ("fireworks", "deployment.json"): FIREWORKS_DEPLOYMENT,
    ("bedrock", "import-job.json"): BEDROCK_JOB,
}
"""Written down from each company's API reference."""
CASES = [(name, served) for name in BUNDLES for served in (MERGED, ADAPTER) if served.form in launch_bundle(name).forms]


def texts_of(name: str, served: Served, **options: Any) -> Texts:
    return launch_bundle(name).texts(served, options)


@pytest.mark.parametrize(("name", "served"), CASES)
def test_every_bundle_has_a_readme_a_script_and_a_client_that_can_be_read(name: str, served: Served) -> None:
    texts = texts_of(name, served)
    proof = "Prove it yourself" if name == "bedrock" else "Let the studio prove it"
    assert proof in texts["README.md"] and "client.py" in texts
    ast.parse(texts["client.py"])
    scripts = [text for path, text in texts.items() if path.endswith(".sh")]
    assert scripts
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        assert script.startswith("#!/usr/bin/env bash\nset -euo pipefail\n")
    for path, text in texts.items():
        if path.endswith(".json"):
            validate(json.loads(text), SCHEMAS[name, path])


def test_an_unknown_tool_names_those_there_are() -> None:
    with pytest.raises(NotFound, match="bedrock, fireworks, sglang, tensorrt_llm, together"):
        launch_bundle("ollama")


def test_sglang_serves_one_name_and_its_compose_file_follows_the_schema(tmp_path: Path) -> None:
    texts = texts_of("sglang", MERGED, gpus=2)
    assert "--served-model-name triage-v2" in texts["launch.sh"] and "--tp-size 2" in texts["launch.sh"]
    assert '--api-key "$SGLANG_API_KEY"' in texts["launch.sh"]
    command = yaml.safe_load(texts["compose.yaml"])["services"]["sglang"]["command"]
    assert command[:3] == ["python3", "-m", "sglang.launch_server"] and "2048" in command
    compose = tmp_path / "compose.yaml"
    compose.write_text(texts["compose.yaml"])
    subprocess.run([CHECKER, "--builtin-schema", "vendor.compose-spec", str(compose)], check=True)


def test_an_adapter_on_sglang_is_asked_for_as_base_and_adapter() -> None:
    texts = texts_of("sglang", ADAPTER)
    assert "--lora-paths triage-v2=adapter" in texts["launch.sh"] and "--max-lora-rank 16" in texts["launch.sh"]
    assert "model='base:triage-v2'" in texts["client.py"]


def test_an_adapter_on_tensorrt_llm_is_named_in_every_request() -> None:
    texts = texts_of("tensorrt_llm", ADAPTER)
    config = yaml.safe_load(texts["extra.yaml"])["lora_config"]
    assert config["max_lora_rank"] == 16 and "attn_q" in config["lora_target_modules"]
    assert (
        "'lora_name': 'triage-v2'" in texts["client.py"] and "--extra_llm_api_options extra.yaml" in texts["launch.sh"]
    )


def test_fireworks_refuses_ranks_that_it_does_not_take() -> None:
    small = Served("t", "llama", form="adapter", rank=2)
    assert "rank 4 to 64" in launch_bundle("fireworks").check(small)[0]
    assert launch_bundle("fireworks").check(ADAPTER) == []


def test_bedrock_refuses_an_architecture_that_it_does_not_import() -> None:
    assert (
        "does not import the architecture gemma3_text" in launch_bundle("bedrock").check(Served("t", "gemma3_text"))[0]
    )


@pytest.fixture
def bundles(database: Database, artifacts: Artifacts, settings: Settings) -> LaunchBundles:
    return LaunchBundles(database, artifacts, settings)


@pytest.fixture
def model(database: Database, artifacts: Artifacts, project: Project, tmp_path: Path) -> Model:
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 2048}))
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": []}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    (folder / "model.safetensors").write_bytes(WEIGHTS)
    digest = artifacts.save_folder(folder)
    with database.write() as session:
        made = Model(project_id=project.id, name="triage $(rm -rf) v2", kind="tuned", digest=digest)
        session.add(made)
    return made


def test_a_bundle_holds_the_weights_byte_for_byte_and_a_name_that_scripts_take(
    bundles: LaunchBundles, model: Model, tmp_path: Path
) -> None:
    out = bundles.write(model.id, "sglang", tmp_path / "bundle.zip")
    with zipfile.ZipFile(out) as archive:
        root = archive.namelist()[0].partition("/")[0]
        assert set("$() ") & set(root) == set()
        assert archive.read(f"{root}/model/model.safetensors") == WEIGHTS
        assert "rm -rf)" not in archive.read(f"{root}/launch.sh").decode()


@pytest.mark.parametrize("value", ["a; rm -rf /", "$(id)", "a`id`", "a\nb", "x" * 2001])
def test_an_option_that_a_script_would_run_is_refused(bundles: LaunchBundles, model: Model, value: str) -> None:
    with pytest.raises(InvalidInput, match="The option account"):
        bundles.texts(model.id, "fireworks", {"account": value})


def test_an_unknown_option_is_named_beside_the_known_ones(bundles: LaunchBundles, model: Model) -> None:
    with pytest.raises(InvalidInput, match=r"has no option gpu\. It has: gpus"):
        bundles.texts(model.id, "sglang", {"gpu": 2})

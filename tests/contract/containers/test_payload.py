"""The exact requests that make containers, as the engine receives them through the real SDK."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.deploy.artifact.tgi_facts import IMAGE
from studio.deploy.targets.catalog import serving_target
from studio.deploy.targets.containers.options import FORBIDDEN_FLAGS, options_of
from studio.deploy.targets.port import Launch
from studio.errors import InvalidInput
from tests.fakes.engine_api import FakeEngine

GOLDEN = Path(__file__).parent / "golden"
CASES: dict[str, tuple[str, bool, dict[str, Any], dict[str, Any]]] = {
    "tgi-gpu": ("tgi", False, {}, {}),
    "tgi-cpu": ("tgi", False, {"gpu": "none", "memory": "24g"}, {"max_total_tokens": 4096}),
    "tgi-two-gpus": ("tgi", False, {"gpu": "0, 1", "quantize": "fp8", "gpu_share": 0.45}, {"dtype": "bfloat16"}),
    "tgi-amd": ("tgi", False, {"image": f"{IMAGE}-rocm"}, {}),
    "tgi-adapter": ("tgi", True, {}, {}),
    "tgi-private-network": (
        "tgi",
        False,
        {"network": "studio-models", "host_models_path": "/srv/whetstone/models"},
        {},
    ),
    "vllm-gpu": ("vllm", False, {"extra_args": ["--max-num-seqs 8", "--enforce-eager"]}, {"max_total_tokens": 2048.0}),
    "vllm-cpu": ("vllm", False, {"gpu": "none", "bind_address": "10.0.0.5", "shm": "4g"}, {}),
    "vllm-adapter": ("vllm", True, {"gpu": "2"}, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_container_is_made_exactly_like_this(
    case: str, engine: FakeEngine, launch: Launch, adapter: Path, tmp_path: Path
) -> None:
    kind, as_adapter, place, revision = CASES[case]
    asked = replace(launch, options=revision, adapter_folder=adapter if as_adapter else None)
    serving_target(kind, engine.place(**place)).launch(asked)
    ((name, body),) = engine.made
    said = json.dumps({"name": name, "body": body}, indent=2).replace(str(tmp_path / "home"), "/srv/studio")
    assert json.loads(said) == json.loads((GOLDEN / f"{case}.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_no_container_is_public_privileged_or_restarted_by_the_engine(case: str) -> None:
    body = json.loads((GOLDEN / f"{case}.json").read_text())["body"]
    host = body["HostConfig"]
    addresses = [one["HostIp"] for bound in host.get("PortBindings", {}).values() for one in bound]
    assert bool(addresses) != bool(host.get("NetworkMode")) and set(addresses) <= {"127.0.0.1", "10.0.0.5"}
    assert host["CapDrop"] == ["ALL"] and host["SecurityOpt"] == ["no-new-privileges"] and "Privileged" not in host
    assert host["RestartPolicy"] == {"Name": "no"} and body["StopTimeout"] >= 95
    assert all(mount["ReadOnly"] for mount in host["Mounts"])
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" not in str(body) and "sk-secret" not in str(body["Cmd"])


@pytest.mark.parametrize("kind", ["tgi", "vllm"])
def test_the_address_is_the_port_that_the_engine_gave_or_the_container_in_its_network(
    kind: str, engine: FakeEngine, launch: Launch
) -> None:
    published = serving_target(kind, engine.place()).launch(launch)
    assert (published.endpoint, published.dialect) == ("http://127.0.0.1:18080", kind)
    inside = serving_target(kind, engine.place(network="studio-models")).launch(replace(launch, revision_id="rev2"))
    assert inside.endpoint == "http://172.30.0.7:8080"


@pytest.mark.parametrize("name", ["a=b-r1", "a@b-r1", "a,b-r1", "two words-r1", "../etc-r1", "*-r1", ""])
def test_a_name_that_a_server_would_misread_is_refused(name: str, engine: FakeEngine, launch: Launch) -> None:
    with pytest.raises(InvalidInput, match="Use an alias of letters"):
        serving_target("tgi", engine.place()).launch(replace(launch, served_name=name))
    assert engine.made == []


def test_an_alias_with_a_slash_is_a_folder_below(engine: FakeEngine, launch: Launch) -> None:
    serving_target("tgi", engine.place()).launch(replace(launch, served_name="acme/triage-r1"))
    assert engine.made[0][1]["HostConfig"]["Mounts"][0]["Target"] == "/models/acme/triage-r1"


def test_an_adapter_with_too_high_a_rank_or_none_is_refused_by_vllm(
    engine: FakeEngine, launch: Launch, adapter: Path
) -> None:
    target = serving_target("vllm", engine.place())
    (adapter / "adapter_config.json").write_text('{"r": 1024}')
    with pytest.raises(InvalidInput, match="Deploy it merged"):
        target.launch(replace(launch, adapter_folder=adapter))
    (adapter / "adapter_config.json").unlink()
    with pytest.raises(InvalidInput, match="does not tell its rank"):
        target.launch(replace(launch, adapter_folder=adapter))


def test_a_model_outside_the_mapped_folder_is_refused(engine: FakeEngine, launch: Launch, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not below the studio's folder models"):
        serving_target("tgi", engine.place(host_models_path="/srv")).launch(replace(launch, model_folder=tmp_path))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("bind_address", "0.0.0.0"),
        ("bind_address", "::"),
        ("bind_address", "8.8.8.8"),
        ("bind_address", "gpu-1"),
        ("network", "host"),
        ("network", "container:studio"),
        ("gpu", "two of them"),
        ("gpu_share", 2),
        ("shm", "lots"),
        ("host_models_path", "models"),
        ("quantize", "fp8 --trust-remote-code"),
        ("dtype", "float16;"),
        ("max_total_tokens", -1),
    ],
)
def test_a_wrong_option_is_named(option: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=f"The option {option} is not valid: "):
        options_of({option: value}, None)


@pytest.mark.parametrize("flag", FORBIDDEN_FLAGS.split())
def test_a_flag_that_is_the_studios_or_weakens_the_server_is_refused(flag: str) -> None:
    for written in (flag, f"{flag}=1", flag.replace("-", "_").replace("__", "--", 1), flag.upper()):
        with pytest.raises(InvalidInput, match="cannot be set here"):
            options_of({"extra_args": [written]}, None)


def test_an_abbreviated_flag_is_refused_and_others_pass() -> None:
    with pytest.raises(InvalidInput, match="--trust-rem"):
        options_of({"extra_args": ["--trust-rem"]}, None)
    given = ["--max-num-seqs 8", "-tp 2", "--tokenizer-mode auto"]
    assert options_of({"extra_args": given}, None).extra_args == " ".join(given).split()


def test_a_revision_sets_only_what_does_not_reach_into_the_machine() -> None:
    asked = {"extra_args": ["--x"], "image": "evil", "bind_address": "10.0.0.9", "network": "n", "dtype": "float16"}
    found = options_of({"gpu": "1"}, {**asked, "served_name": "x", "job_id": "y"})
    assert (found.dtype, found.gpu) == ("float16", "1")
    assert (found.extra_args, found.image, found.bind_address, found.network) == ([], "", "127.0.0.1", "")

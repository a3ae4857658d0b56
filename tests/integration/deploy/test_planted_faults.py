"""Planted faults: every one is caught by a gate, and no honest deployment is refused.

The default part is one deployment with every fault and a few honest ones. STUDIO_FULL_PROOF=1 does it for twenty and
prints the matrix; its last result is in docs/guides/deploy.md.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.deploy.client import ServerClient
from studio.deploy.gates import GATES, GateResult, run_gates, sentence, subject
from tests.fakes.planted import ARCHITECTURES, FAULTS, Made, Recipe, make, served

pytestmark = pytest.mark.slow
NAME = "triage-r7"
FULL = os.environ.get("STUDIO_FULL_PROOF") == "1"
DIALECTS = ("tgi", "vllm", "openai")
HONEST = [
    Recipe("qwen3", 11, "tgi", "bfloat16", 8),
    Recipe("mistral", 12, "vllm", "float32", 8),
    Recipe("llama", 13, "openai", "float32", 8),
]
FAULTY = Recipe("llama", 7, "tgi", "float32", 8)
TWENTY = [
    Recipe(architecture, seed, DIALECTS[(place + seed) % 3], "bfloat16" if (place + seed) % 2 else "float32", prompts)
    for seed, prompts in ((21, 50), (22, 50), (23, 12), (24, 3))
    for place, architecture in enumerate(ARCHITECTURES)
]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield


def judged(made: Made, folder: Path, *, sampling: bool = False, whole: bool = FULL) -> list[GateResult]:
    """All gates, or those that tell weights apart: the others only cost time here."""
    dialect = made.recipe.dialect
    with pytest.MonkeyPatch.context() as patch:
        for gate in () if whole else ("smoke", "latency"):
            patch.delitem(GATES, gate)
        with served(folder, NAME, dialect, sampling=sampling) as url:
            return run_gates(ServerClient(url, NAME, "", dialect), subject(made.model))


def caught_by(made: Made, fault: str, folder: Path) -> list[str]:
    FAULTS[fault](made, folder)
    results = judged(made, folder, sampling="temperature" in fault, whole=False)
    return [result.gate for result in results if not result.passed]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(FAULTY, tmp_path_factory.mktemp("faulty"))


def test_a_recording_holds_what_the_gates_need_and_little_more(deployment: Made) -> None:
    recorded = deployment.facts["golden"]
    assert len(recorded["prompts"]) == FAULTY.prompts and 0.1 <= recorded["tie"] <= 1.0
    assert len(json.dumps(recorded)) < 3000 * FAULTY.prompts
    for row in recorded["prompts"]:
        places = len(row["tuned_tokens"]) + row["tuned_ended"]
        assert len(row["margins"]) == places and len(row["offsets"]) == len(row["tuned_tokens"]) <= 16
        assert all(int(place) < places for place in row["rivals"]) and not set(recorded["ends"]) & {
            *row["tuned_tokens"]
        }
        assert row["prompt_tokens"] > 20 and len(row["prompt_digest"]) == 16


@pytest.mark.parametrize("fault", list(FAULTS)[: len(FAULTS) if FULL else 7])
def test_a_planted_fault_is_caught(deployment: Made, fault: str, tmp_path: Path) -> None:
    assert set(caught_by(deployment, fault, tmp_path / "served")) & {"golden", "template"}


def test_the_same_deployment_without_a_fault_passes(deployment: Made) -> None:
    assert sentence(judged(deployment, deployment.tuned)) == ""


@pytest.mark.parametrize("recipe", HONEST, ids=str)
def test_an_honest_deployment_passes(recipe: Recipe, tmp_path: Path) -> None:
    made = make(recipe, tmp_path)
    assert sentence(judged(made, made.tuned)) == ""


@pytest.mark.skipif(not FULL, reason="STUDIO_FULL_PROOF=1 runs twenty deployments with every fault: minutes")
@pytest.mark.timeout(5400)
def test_twenty_honest_deployments_pass_and_every_fault_in_each_is_caught(tmp_path: Path) -> None:
    caught: dict[str, Counter[str]] = {fault: Counter() for fault in FAULTS}
    missed, refused = [], []
    for number, recipe in enumerate(TWENTY):
        made = make(recipe, tmp_path / str(number))
        if why := sentence(results := judged(made, made.tuned)):
            refused.append(f"{recipe}: {why}")
        golden = next(result for result in results if result.gate == "golden").evidence
        told = f"agreement {golden['agreement']:.1%}, {golden['matches']} of {golden['prompts']} whole"
        print(f"\n{recipe}: {told}, {golden['telling']} telling, {golden['ties']} by rounding", flush=True)
        for fault in FAULTS:
            gates = caught_by(made, fault, tmp_path / f"{number}-{fault}")
            caught[fault].update(gates or ["nothing"])
            missed += [] if gates else [f"{recipe}: {fault}"]
            print(f"  {fault}: {', '.join(gates) or 'MISSED'}", flush=True)
    for fault, gates in caught.items():
        print(f"| {fault} | {gates['golden']} | {gates['template']} | {gates['nothing']} |")
    assert not missed and not refused

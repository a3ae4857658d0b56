from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.deploy.artifact import tgi_facts
from studio.deploy.targets.containers import vllm
from studio.deploy.targets.port import Launch
from tests.fakes.engine_api import FakeEngine

IMAGES = {tgi_facts.IMAGE, f"{tgi_facts.IMAGE}-rocm", tgi_facts.CPU_IMAGE, vllm.IMAGE, vllm.CPU_IMAGE}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    """An engine that has every image and a private network; no other engine is known."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CERT_PATH", raising=False)
    with FakeEngine(tmp_path / "e.sock", images=set(IMAGES), networks={"studio-models"}).running() as running:
        yield running


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """A revision with merged weights."""
    model = tmp_path / "home" / "models" / "abc"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    return Launch("rev1", "triage-r1", model, tmp_path / "server", "sk-secret", options={}, deployment_id="dep1")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A LoRA adapter of rank 12."""
    folder = tmp_path / "home" / "models" / "lora"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text('{"r": 12}')
    return folder

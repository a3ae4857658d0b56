import json
import shlex
from pathlib import Path

import pytest

from studio.deploy.tgi_command import tgi_command, tgi_problems
from tests.fakes.weights import model_folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return model_folder(tmp_path / "a folder")


def test_the_command_mounts_the_weights_read_only_and_holds_no_key(weights: Path) -> None:
    words = shlex.split(tgi_command(weights))
    assert words[:2] == ["docker", "run"] and f"{weights}:/data/model:ro" in words
    assert words[words.index("--model-id") + 1] == "/data/model"
    assert "API_KEY" in words and not any(word.startswith("API_KEY=") for word in words)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("llama", ""),
        ("qwen3", "slower general path"),
        ("smollm3", "Serve it on the embedded server"),
        ("qwen9", "No target here is known"),
    ],
)
def test_what_tgi_thinks_of_an_architecture(weights: Path, kind: str, says: str) -> None:
    (weights / "config.json").write_text(json.dumps({"model_type": kind}))
    problems = tgi_problems(weights)
    assert says in problems[0] if says else problems == []

"""What comes back is unpacked safely and belongs to its base, or is refused in a sentence."""

from __future__ import annotations

import json
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Model, Project
from studio.access.actor import Actor
from studio.errors import Conflict, InvalidInput, NotAllowed
from studio.jobs.queue import Jobs
from studio.settings import Settings
from studio.train.models import Models
from studio.train.runs import Training
from studio.train.takeaway import unpack as unpacking
from studio.train.takeaway.service import Takeaways
from studio.train.takeaway.unpack import unpack

MODULE = "model.layers.0.self_attn.q_proj"
BASE = {f"{MODULE}.weight": (8, 16), "model.embed_tokens.weight": (32, 16)}
FACTORS = {
    f"base_model.model.{MODULE}.lora_A.weight": (4, 16),
    f"base_model.model.{MODULE}.lora_B.weight": (8, 4),
}
CONFIG = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 4, "base_model_name_or_path": "base"}


def tensors(shapes: dict[str, tuple[int, ...]]) -> bytes:
    """A safetensors file of zeros."""
    header, place = {}, 0
    for name, shape in shapes.items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(place)


def adapter(config: dict[str, Any] | None = None, shapes: dict[str, tuple[int, ...]] | None = None) -> dict[str, bytes]:
    told = json.dumps({**CONFIG, **(config or {})}).encode()
    return {"adapter_config.json": told, "adapter_model.safetensors": tensors(shapes or FACTORS)}


@pytest.fixture
def zipped(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    def make(files: dict[str, bytes]) -> Path:
        path = tmp_path / "arrival.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path

    return make


@pytest.fixture
def takeaways(database: Database, artifacts: Artifacts, settings: Settings, training: Training) -> Takeaways:
    return Takeaways(database, artifacts, Jobs(database), settings, training)


@pytest.fixture
def small(artifacts: Artifacts, models: Models, project: Project, operator: Actor, tmp_path: Path) -> Model:
    """A base of two tensors, downloaded from the Hub once."""
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    (folder / "model.safetensors").write_bytes(tensors(BASE))
    digest = artifacts.save_folder(folder)
    return models.register_base(operator, project.id, "small", digest=digest, hub_id="Qwen/Qwen3-0.6B")


@pytest.fixture
def bring(takeaways: Takeaways, operator: Actor, project: Project, small: Model, zipped: Any) -> Callable[..., Any]:
    """Bring a zip of these files back."""
    return lambda files, name="tuned": takeaways.import_tuned(operator, project.id, zipped(files), small.id, name)


def test_an_adapter_is_taken_from_wherever_it_lies_in_the_zip(zipped: Any, tmp_path: Path) -> None:
    files = {f"outputs/final/{name}": content for name, content in adapter().items()}
    files |= {"outputs/final/checkpoint-8/" + name: content for name, content in adapter().items()}
    found = unpack(zipped(files), tmp_path / "out")
    assert found == tmp_path / "out/outputs/final"


def test_a_folder_is_taken_like_a_zip(tmp_path: Path) -> None:
    source = tmp_path / "outputs"
    source.mkdir()
    for name, content in adapter().items():
        (source / name).write_bytes(content)
    assert (unpack(source, tmp_path / "out") / "adapter_model.safetensors").exists()


def test_what_trainers_leave_beside_the_weights_is_not_unpacked(zipped: Any, tmp_path: Path) -> None:
    files = adapter() | {"training_args.bin": b"pickle", "optimizer.pt": b"pickle", "modeling.py": b"import os"}
    found = unpack(zipped(files), tmp_path / "out")
    assert sorted(path.name for path in found.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]


@pytest.mark.parametrize(
    "name", ["../evil.json", "/etc/evil.json", "a/../../evil.json", "..\\evil.json", "C:\\evil.json"]
)
def test_a_path_that_climbs_out_is_refused(zipped: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="leads outside"):
        unpack(zipped({name: b"{}"} | adapter()), tmp_path / "deep/er/out")
    assert not list(tmp_path.rglob("evil.json"))


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("adapter_config.json")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(InvalidInput, match="symbolic link"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    source = tmp_path / "folder"
    source.mkdir()
    (source / "adapter_config.json").symlink_to("/etc/passwd")
    with pytest.raises(InvalidInput, match="symbolic links"):
        unpack(source, tmp_path / "out")


def test_a_bomb_is_refused_before_it_is_unpacked(zipped: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(unpacking, "MOST_BYTES", 1 << 20)
    with pytest.raises(InvalidInput, match="unpacks to"):
        unpack(zipped({"adapter_model.safetensors": bytes(2 << 20)}), tmp_path / "out")
    monkeypatch.setattr(unpacking, "MOST_FILES", 3)
    with pytest.raises(InvalidInput, match="holds 4 files"):
        unpack(zipped({f"{number}.json": b"" for number in range(4)}), tmp_path / "out")


@pytest.mark.parametrize("name", ["adapter_model.bin", "pytorch_model.bin", "consolidated.00.pth"])
def test_pickled_weights_are_refused_with_the_reason(zipped: Any, tmp_path: Path, name: str) -> None:
    files = {"adapter_config.json": json.dumps(CONFIG).encode(), "config.json": b"{}", name: b"\x80\x04."}
    with pytest.raises(InvalidInput, match="can run code when they are opened"):
        unpack(zipped(files), tmp_path / "out")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"notes.txt": b"hello"}, "no model in this"),
        ({"config.json": b'{"auto_map": {}}', "model.safetensors": tensors(BASE)}, "code of its own"),
        ({"config.json": b'{"quantization_config": {}}', "model.safetensors": tensors(BASE)}, "quantised"),
        ({"config.json": b"{", "model.safetensors": tensors(BASE)}, "not valid JSON"),
        ({"config.json": b"{}", "model.safetensors": b"\xff" * 40}, "not a whole safetensors file"),
        ({"config.json": b"{}", "model.safetensors": b""}, "not a whole safetensors file"),
    ],
)
def test_what_is_no_model_of_ours_is_refused_in_words(
    zipped: Any, tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        unpack(zipped(files), tmp_path / "out")


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(InvalidInput, match="not a zip"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_torn_zip_and_one_that_contradicts_itself_are_refused(zipped: Any, tmp_path: Path) -> None:
    whole = zipfile.ZipInfo("config.json")
    whole.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(whole, json.dumps({"x": list(range(500))}))
    torn = bytearray((tmp_path / "a.zip").read_bytes())
    torn[60:90] = b"\xff" * 30
    (tmp_path / "a.zip").write_bytes(torn)
    with pytest.raises(InvalidInput, match="not a zip that can be read"):
        unpack(tmp_path / "a.zip", tmp_path / "torn")
    with pytest.raises(InvalidInput, match="both as a file and as a folder"):
        unpack(zipped({"a.json": b"{}", "a.json/config.json": b"{}"}), tmp_path / "clash")


def test_an_adapter_that_fits_becomes_a_job_with_its_lineage(bring: Any, small: Model) -> None:
    job = bring(adapter() | {"README.md": b"---\ntags:\n- axolotl\n---\n"})
    assert job.kind == "import_model"
    assert job.spec["base_model_id"] == small.id
    assert job.spec["facts"]["tool"] == "Axolotl"
    assert job.spec["facts"]["r"] == 4


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (adapter({"base_model_name_or_path": "meta-llama/Llama-3.2-1B"}), "was trained on meta-llama/Llama-3.2-1B"),
        (adapter({"peft_type": "IA3"}), "adapter of kind IA3"),
        (adapter({"task_type": "SEQ_CLS"}), "for judging or sorting"),
        (adapter(shapes={f"base_model.model.{MODULE}.lora_A.weight": (4, 24)}), "does not fit “small”"),
        (adapter(shapes={"base_model.model.model.layers.9.q.lora_A.weight": (4, 16)}), "which “small” does not have"),
        (adapter(shapes={"base_model.model.strange": (1,)}), "no LoRA weights"),
        ({"config.json": b"{}", "model.safetensors": tensors(BASE | {f"{MODULE}.weight": (8, 8)})}, "does not fit"),
        ({"config.json": b"{}", "model.safetensors": tensors(BASE | {"extra.weight": (2,)})}, "trained further"),
    ],
)
def test_what_belongs_to_another_base_is_refused_in_words(bring: Any, files: dict[str, bytes], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        bring(files)


@pytest.mark.parametrize(
    "told", ["unsloth/Qwen3-0.6B-unsloth-bnb-4bit", "Qwen/Qwen3-0.6B", "base", "/runs/x/base", "./base"]
)
def test_the_same_base_under_another_roof_is_taken(bring: Any, told: str) -> None:
    assert bring(adapter({"base_model_name_or_path": told})).status == "queued"


def test_a_whole_model_that_fits_is_taken(bring: Any) -> None:
    files = {
        "config.json": b'{"model_type": "qwen3"}',
        "model.safetensors": tensors(BASE | {"lm_head.weight": (32, 16)}),
    }
    assert bring(files).spec["facts"]["kind"] == "model"


def test_names_roles_and_foreign_bases_are_minded(
    bring: Any, takeaways: Takeaways, viewer: Actor, project: Project, small: Model, zipped: Any
) -> None:
    with pytest.raises(Conflict, match="already a model named “small”"):
        bring(adapter(), "small")
    with pytest.raises(InvalidInput, match="1 to 120 characters"):
        bring(adapter(), " ")
    with pytest.raises(NotAllowed):
        takeaways.import_tuned(viewer, project.id, zipped(adapter()), small.id, "tuned")
    with pytest.raises(InvalidInput, match="no base of this project"):
        takeaways.import_tuned(Actor.operator(), "another", zipped(adapter()), small.id, "tuned")

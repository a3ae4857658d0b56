"""Nothing pickled, no code, nothing half-written: found by reading names, headers and lengths only."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.artifacts import Artifacts
from storage.tables import Model
from studio.deploy.artifact import export, findings
from studio.deploy.artifact.files import FolderFiles, StoredFiles
from studio.deploy.artifact.safety import dangers, tensors
from studio.errors import Conflict
from studio.settings import Settings
from tests.fakes.weights import model_folder, safetensors

SHAPES = {"a": (3, 5), "b": (7,), "c": ()}


class Bomb:
    """Unpickling it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return model_folder(tmp_path / "model")


def test_a_whole_model_in_safetensors_holds_no_danger(folder: Path) -> None:
    assert dangers(FolderFiles(folder)) == [] and findings(folder) == []


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "training_args.bin", "optimizer.PT", "deep/er/x.pkl", "last.ckpt", "rng_state.pth"]
)
def test_a_pickle_anywhere_in_the_folder_is_refused_and_never_opened(folder: Path, tmp_path: Path, name: str) -> None:
    trace = tmp_path / "trace"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(Bomb(trace)))
    (found,) = dangers(FolderFiles(folder))
    assert name in found and "pickled" in found and "safetensors" in found
    assert not trace.exists()


@pytest.mark.parametrize("kind", ["pickle", "zip"])
def test_a_pickle_called_safetensors_is_refused(folder: Path, tmp_path: Path, kind: str) -> None:
    target, trace = folder / "model.safetensors", tmp_path / "trace"
    target.write_bytes(pickle.dumps(Bomb(trace)))
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Bomb(trace)))
    (found,) = dangers(FolderFiles(folder))
    assert "under another name" in found and not trace.exists()


@pytest.mark.parametrize("name", ["modeling_mine.py", "kernels/fast.so"])
def test_code_beside_the_weights_is_refused(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("print('hello')")
    (found,) = dangers(FolderFiles(folder))
    assert name in found and "their own code" in found


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_config_that_asks_for_code_of_its_own_is_refused(folder: Path, name: str) -> None:
    told = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(told | {"auto_map": {"AutoModelForCausalLM": "somebody/repo--x.Y"}}))
    (found,) = dangers(FolderFiles(folder))
    assert name in found and "auto_map" in found


def test_an_index_that_lists_missing_shards_is_refused(folder: Path) -> None:
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    (folder / shards["a"]).write_bytes(safetensors(SHAPES))
    (found,) = dangers(FolderFiles(folder))
    assert shards["b"] in found and shards["a"] not in found
    (folder / shards["b"]).write_bytes(safetensors(SHAPES))
    assert dangers(FolderFiles(folder)) == []


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\x00"])
def test_a_config_that_was_not_written_to_its_end_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    (found,) = dangers(FolderFiles(folder))
    assert "config.json is not readable JSON" in found


def test_the_shapes_are_read_from_the_headers(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(safetensors(SHAPES))
    assert tensors(FolderFiles(tmp_path)) == SHAPES


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, len(safetensors(SHAPES)) - 1))
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "x.safetensors").write_bytes(safetensors(SHAPES)[:length])
    assert len(dangers(FolderFiles(tmp_path))) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(more=st.binary(min_size=1, max_size=40))
def test_a_file_with_something_after_its_weights_is_refused(tmp_path: Path, more: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(safetensors(SHAPES) + more)
    assert len(dangers(FolderFiles(tmp_path))) == 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_bytes_are_judged_without_an_exception(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.safetensors").write_bytes(data)
    (tmp_path / "config.json").write_bytes(data)
    assert dangers(FolderFiles(tmp_path))


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}},
        {"a": {"dtype": "F32", "shape": [1]}},
        {"a": "text"},
        [1],
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, header: object) -> None:
    told = json.dumps(header).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(told)) + told + bytes(4))
    assert len(dangers(FolderFiles(tmp_path))) == 1


def test_a_type_of_number_that_is_newer_than_this_studio_is_taken_at_its_word(tmp_path: Path) -> None:
    told = json.dumps({"a": {"dtype": "F2_NEW", "shape": [16], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(told)) + told + bytes(4))
    assert dangers(FolderFiles(tmp_path)) == []


def test_an_artifact_in_the_store_is_judged_without_laying_it_out(artifacts: Artifacts, folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"x")
    digest = artifacts.save_folder(folder)
    assert "pytorch_model.bin" in dangers(StoredFiles(artifacts, digest))[0]


def test_a_dangerous_artifact_is_not_exported(artifacts: Artifacts, settings: Settings, folder: Path) -> None:
    (folder / "handler.py").write_text("import os")
    model = Model(project_id="p", name="tuned", kind="tuned", digest=artifacts.save_folder(folder))
    with pytest.raises(Conflict, match=r"tuned cannot be served: .*handler\.py"):
        export(artifacts, settings, model)


def test_weights_cut_after_they_were_laid_out_are_not_served(
    artifacts: Artifacts, settings: Settings, folder: Path
) -> None:
    model = Model(project_id="p", name="tuned", kind="tuned", digest=artifacts.save_folder(folder))
    laid_out = export(artifacts, settings, model) / "model.safetensors"
    laid_out.write_bytes(laid_out.read_bytes()[:-5])
    with pytest.raises(Conflict, match="not whole"):
        export(artifacts, settings, model)
    shutil.rmtree(laid_out.parent)
    assert export(artifacts, settings, model) == laid_out.parent

"""Artifacts are whole or absent, equal when their bytes are, and never write outside their folder."""

from __future__ import annotations

import json
from pathlib import Path

import fsspec
import pytest

from storage.artifacts import Artifacts, DamagedArtifact, write_atomically


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "deep").mkdir(parents=True)
    (made / "config.json").write_text("{}")
    (made / "deep" / "weights.bin").write_bytes(bytes(range(256)) * 5000)
    return made


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    return Artifacts(f"file://{tmp_path}/store" if request.param == "local" else f"memory://{tmp_path.name}")


def _blobs(root: Path) -> list[Path]:
    return [path for path in (root / "blobs").rglob("*") if path.is_file()]


def test_what_is_saved_comes_back_byte_for_byte(store: Artifacts, folder: Path, tmp_path: Path) -> None:
    digest = store.save_folder(folder, {"kind": "model"})
    out = store.checkout(digest, tmp_path / "out")
    assert (out / "deep" / "weights.bin").read_bytes() == (folder / "deep" / "weights.bin").read_bytes()
    assert store.manifest(digest)["meta"] == {"kind": "model"} and store.exists(digest)
    with store.open_file(digest, "config.json") as stream:
        assert stream.read() == b"{}"


def test_equal_folders_are_one_artifact(store: Artifacts, folder: Path, tmp_path: Path) -> None:
    first = store.save_folder(folder)
    again = store.checkout(first, tmp_path / "copy")
    assert store.save_folder(again) == first


def test_one_changed_byte_makes_another_artifact(store: Artifacts, folder: Path) -> None:
    first = store.save_folder(folder)
    (folder / "config.json").write_text("{ }")
    assert store.save_folder(folder) != first


def test_an_empty_or_foreign_id_names_nothing(store: Artifacts) -> None:
    assert not store.exists("") and not store.exists("0" * 64)
    for hostile in ("../../etc/passwd", "a/b", "..", "\x00"):
        with pytest.raises(FileNotFoundError):
            store.manifest(hostile)


def test_a_damaged_blob_is_detected_and_leaves_no_file(folder: Path, tmp_path: Path) -> None:
    store = Artifacts(f"file://{tmp_path}/store")
    digest = store.save_folder(folder)
    blob = max(_blobs(tmp_path / "store"), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[1000] ^= 1
    blob.write_bytes(data)
    with pytest.raises(DamagedArtifact, match=r"weights\.bin"):
        store.checkout(digest, tmp_path / "out")
    assert not (tmp_path / "out" / "deep" / "weights.bin").exists()
    assert not (tmp_path / "out" / ".artifact").exists()


def test_a_checkout_that_was_cut_off_is_completed(folder: Path, tmp_path: Path) -> None:
    store = Artifacts(f"file://{tmp_path}/store")
    digest = store.save_folder(folder)
    out = store.checkout(digest, tmp_path / "out")
    (out / ".artifact").unlink()
    (out / "config.json").write_text("half")
    assert (store.checkout(digest, out) / "config.json").read_text() == "{}"


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../escaped"])
def test_a_manifest_that_names_a_path_outside_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    store = Artifacts(f"file://{tmp_path}/store")
    digest = store.save_folder(folder)
    path = tmp_path / "store" / "manifests" / f"{digest}.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = {name: manifest["files"]["config.json"]}
    path.write_text(json.dumps(manifest))
    with pytest.raises(DamagedArtifact, match="outside"):
        store.checkout(digest, tmp_path / "deep" / "out")
    assert not list(tmp_path.rglob("escaped"))


def test_symbolic_links_are_refused(store: Artifacts, folder: Path) -> None:
    (folder / "link").symlink_to("/etc/hostname")
    with pytest.raises(DamagedArtifact, match="symbolic link"):
        store.save_folder(folder)


def test_a_save_that_was_cut_off_leaves_no_artifact_and_can_be_repeated(folder: Path, tmp_path: Path) -> None:
    class DiskFull(Artifacts):
        def _put_blob(self, path: Path) -> dict[str, object]:
            if path.name == "weights.bin":
                raise OSError(28, "No space left on device")
            return super()._put_blob(path)

    with pytest.raises(OSError, match="No space"):
        DiskFull(f"file://{tmp_path}/store").save_folder(folder)
    assert not (tmp_path / "store" / "manifests").exists()
    store = Artifacts(f"file://{tmp_path}/store")
    assert store.exists(store.save_folder(folder))


def test_saving_leaves_no_temporary_files(folder: Path, tmp_path: Path) -> None:
    store = Artifacts(f"file://{tmp_path}/store")
    store.checkout(store.save_folder(folder), tmp_path / "out")
    assert not list(tmp_path.rglob("*.part"))


def test_an_atomic_write_replaces_the_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "state.json"
    write_atomically(target, b"first, and longer")
    write_atomically(target, b"second")
    assert target.read_bytes() == b"second" and [path.name for path in target.parent.iterdir()] == ["state.json"]


def test_the_store_is_any_fsspec_url(folder: Path) -> None:
    digest = Artifacts("memory://bucket/prefix").save_folder(folder)
    assert fsspec.filesystem("memory").exists(f"/bucket/prefix/manifests/{digest}.json")

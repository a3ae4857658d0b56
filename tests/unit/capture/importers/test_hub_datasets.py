"""Datasets of the Hub: their split's files are fetched by the job, then imported as any file; silence is explained."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.artifacts import Artifacts
from storage.database import Database
from storage.tables import Project
from studio.access.actor import Actor
from studio.capture.import_hub import chosen, files_of, told_plainly
from studio.capture.imports import Imports
from studio.capture.jobs import fetch_dataset
from studio.errors import InvalidInput, NotFound, Unavailable
from studio.jobs.context import JobContext
from studio.jobs.queue import Jobs
from studio.settings import Settings

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def parquet(*rows: dict[str, Any]) -> bytes:
    held = BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), held)
    return held.getvalue()


FILES = {
    "README.md": b"# data",
    "data/train-00000-of-00002.parquet": parquet({"question": "Q1 is what?", "answer": "A1"}),
    "data/train-00001-of-00002.parquet": parquet({"question": "Q2 is what?", "answer": "A2"}),
    "data/test-00000-of-00001.parquet": parquet({"question": "Q3 is what?", "answer": "A3"}),
    "dataset_infos.json": b"{}",
}


@contextmanager
def dataset_hub(name: str, files: dict[str, bytes]) -> Iterator[str]:
    """The two endpoints that fetching needs, for one dataset."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            resolved = f"/datasets/{name}/resolve/{COMMIT}/"
            if path in (f"/api/datasets/{name}", f"/api/datasets/{name}/revision/main"):
                siblings = [{"rfilename": each} for each in files]
                told = {"id": name, "sha": COMMIT, "private": False, "tags": [], "siblings": siblings}
                self._send(200, json.dumps(told).encode())
            elif path.startswith(resolved) and path.removeprefix(resolved) in files:
                self._send(200, files[path.removeprefix(resolved)])
            else:
                self._send(404, b'{"error": "not found"}', {"X-Error-Code": _missing(path, name)})

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _send(self, code: int, body: bytes, more: dict[str, str] | None = None) -> None:
            self.send_response(code)
            told = {"X-Repo-Commit": COMMIT, "ETag": f'"{sha256(body).hexdigest()}"', "Content-Length": str(len(body))}
            for header, value in {**told, **(more or {})}.items():
                self.send_header(header, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _missing(path: str, name: str) -> str:
    return "RevisionNotFound" if name in path else "RepoNotFound"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    from huggingface_hub import constants, hf_api

    with dataset_hub("acme/tickets", FILES) as url:
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(hf_api, "ENDPOINT", url, raising=False)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield url


def test_a_split_is_fetched_previewed_and_imported(
    hub: str, tmp_path: Path, database: Database, settings: Settings, artifacts: Artifacts, project: Project
) -> None:
    me, imports = Actor.operator(), Imports(database, Jobs(database), settings)
    job = imports.fetch(me, project.id, "https://huggingface.co/datasets/acme/tickets", split="train")
    assert (job.kind, job.title) == ("fetch_dataset", "Fetch acme/tickets")
    context = JobContext(job.id, 1, job.kind, job.spec, tmp_path / "job", settings, database, artifacts)
    result = fetch_dataset(context)
    assert result["files"] == 2 and fetch_dataset(context) == result
    upload = imports.upload(me, project.id, result["upload"])
    preview = imports.preview(upload.path, name=upload.name)
    assert [call["reply_text"] for call in preview.calls] == ["A1", "A2"]
    assert preview.mapping == {"prompt": ["question"], "reply": ["answer"]} and upload.name == "acme/tickets train"
    started = imports.start(me, project.id, upload.path, upload.name, format=preview.format, mapping=preview.mapping)
    assert started.spec["path"] == str(upload.path)


def test_a_split_that_is_not_there_is_told_with_those_that_are(hub: str) -> None:
    spec = {"dataset": "acme/tickets", "config": "", "split": "validation", "revision": ""}
    with told_plainly("acme/tickets"), pytest.raises(InvalidInput, match=r"'validation'.*test-00000"):
        files_of(spec)
    with pytest.raises(NotFound, match="There is no dataset acme/other"), told_plainly("acme/other"):
        files_of({**spec, "dataset": "acme/other"})


def test_a_machine_that_is_offline_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Unavailable, match="HF_HUB_OFFLINE"), told_plainly("acme/tickets"):
        raise AssertionError("nothing is asked while offline")


def test_the_files_of_a_split_are_found_by_folder_and_name() -> None:
    files = ["en/train.jsonl", "en/test.jsonl.gz", "de/train.jsonl", "de/train.csv", "all.parquet"]
    assert chosen(files, "de", "train") == ["de/train.jsonl"]
    assert chosen(files, "en", "test") == ["en/test.jsonl.gz"]
    assert chosen(["a.csv", "b.csv"], "", "") == ["a.csv", "b.csv"] and chosen(files, "", "nope") == []


@pytest.mark.parametrize("name", ["", "../x", "a/b/c", "x y", "https://evil.example/a/b"])
def test_a_name_that_is_none_is_refused(
    name: str, database: Database, settings: Settings, operator: Actor, project: Project
) -> None:
    with pytest.raises(InvalidInput, match="owner/name"):
        Imports(database, Jobs(database), settings).fetch(operator, project.id, name)

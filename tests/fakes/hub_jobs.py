"""Hugging Face Jobs as their API shows them: a real HTTP server with a repository, that really runs what it is sent."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_fake0123456789"
COMMIT = "a" * 40
PRICES = {"cpu-basic": 0.000167, "a10g-small": 0.0167}


@dataclass
class HubJob:
    """One job."""

    body: dict[str, Any]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    cancelled: bool = False

    @property
    def stage(self) -> str:
        code = self.process.poll() if self.process else None
        if self.process is None:
            return "SCHEDULING"
        if code is None:
            return "RUNNING"
        return "CANCELED" if self.cancelled else "ERROR" if code else "COMPLETED"


@dataclass
class FakeHub:
    """The Hub. `drop_answers`: so many jobs are taken without the answer arriving."""

    folder: Path
    url: str = ""
    jobs: dict[str, HubJob] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    repositories: list[dict[str, Any]] = field(default_factory=list)
    drop_answers: int = 0
    is_public: bool = False
    """Somebody opened the repository to all."""
    broke: bool = False
    """The account has no credit."""

    def run(self, body: dict[str, Any]) -> dict[str, Any]:
        name = f"{len(self.jobs) + 1:024x}"
        job = self.jobs[name] = HubJob(body, self.folder / f"{name}.log")
        command = body["command"]
        where = tempfile.mkdtemp(dir=self.folder)
        job.process = subprocess.Popen(
            [sys.executable, *command[command.index("python") + 1 :]],
            cwd=where,
            env={**os.environ, **body["environment"], **body["secrets"], "HF_ENDPOINT": self.url, "HF_HOME": where},
            stdout=job.log.open("wb"),
            stderr=subprocess.STDOUT,
        )
        return self.told(name)

    def told(self, name: str) -> dict[str, Any]:
        job = self.jobs[name]
        return {
            "id": name,
            "createdAt": "2026-01-01T00:00:00.000Z",
            "status": {"stage": job.stage, "message": None},
            "owner": {"id": "1", "name": "acme", "type": "user"},
            "labels": job.body.get("labels"),
            "flavor": job.body["flavor"],
        }

    def commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            if line["key"] == "deletedFolder":
                gone = line["value"]["path"]
                self.files = {path: each for path, each in self.files.items() if not path.startswith(gone)}
            if line["key"] == "file":
                self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if not self._may():
            return
        address = urlsplit(self.path)
        match [unquote(part) for part in address.path.split("/") if part]:
            case ["api", "whoami-v2"]:
                self._json({"name": "acme", "type": "user"})
            case ["api", "jobs", "hardware"]:
                self._json([_hardware(name, price) for name, price in PRICES.items()])
            case ["api", "jobs", "acme"]:
                wanted = dict(label.split("=", 1) for label in parse_qs(address.query).get("label", []))
                self._json([self.hub.told(name) for name, job in self.hub.jobs.items() if _has(job, wanted)])
            case ["api", "jobs", "acme", name, *rest] if name in self.hub.jobs:
                self._log(name) if rest else self._json(self.hub.told(name))
            case ["api", "datasets", "acme", name]:
                self._json({"id": f"acme/{name}", "private": not self.hub.is_public, "siblings": []})
            case ["datasets", "acme", _repository, "resolve", _revision, *path] if "/".join(path) in self.hub.files:
                self._file(self.hub.files["/".join(path)])
            case _:
                self._json({"error": "not found"}, 404)

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._may():
            return
        parts = [part for part in urlsplit(self.path).path.split("/") if part]
        match parts:
            case ["api", "repos", "create"]:
                self.hub.repositories.append(json.loads(content))
                self._json({"url": f"{self.hub.url}/datasets/acme/whetstone-runs"})
            case ["api", "datasets", "acme", _repository, "preupload", _revision]:
                asked = json.loads(content)["files"]
                self._json(
                    {
                        "files": [
                            {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in asked
                        ]
                    }
                )
            case ["api", "datasets", "acme", _repository, "commit", _revision]:
                self.hub.commit([json.loads(line) for line in content.splitlines()])
                self._json(
                    {
                        "commitUrl": f"{self.hub.url}/datasets/acme/whetstone-runs/commit/{COMMIT}",
                        "commitOid": COMMIT,
                        "success": True,
                    }
                )
            case ["api", "jobs", "acme"] if self.hub.broke:
                self._json({"error": "Payment required"}, 402)
            case ["api", "jobs", "acme"]:
                told = self.hub.run(json.loads(content))
                self._json(told) if not self._drops() else self.connection.close()
            case ["api", "jobs", "acme", name, "cancel"]:
                job = self.hub.jobs[name]
                job.cancelled = True
                assert job.process
                job.process.terminate()
                self._json(self.hub.told(name))
            case _:
                self._json({"error": "not found"}, 404)

    def _drops(self) -> bool:
        self.hub.drop_answers -= 1
        return self.hub.drop_answers >= 0

    def _may(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self._json({"error": "Invalid credentials"}, 401)
        return False

    def _log(self, name: str) -> None:
        lines = self.hub.jobs[name].log.read_text().splitlines()
        self._send(200, "".join(f"data: {json.dumps({'data': line})}\n\n" for line in lines).encode())

    def _file(self, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        self._send(200, content, {"ETag": f'"{digest}"', "X-Repo-Commit": COMMIT})

    def _json(self, content: Any, code: int = 200) -> None:
        self._send(code, json.dumps(content).encode())

    def _send(self, code: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _hardware(name: str, price: float) -> dict[str, Any]:
    facts = {"name": name, "prettyName": name, "cpu": "2 vCPU", "ram": "16 GB", "ephemeralStorage": "20 GB"}
    cost = {"unitCostMicroUSD": round(price * 1e6), "unitCostUSD": price, "unitLabel": "minute"}
    return facts | {"accelerator": None} | cost


def _has(job: HubJob, labels: dict[str, str]) -> bool:
    return all((job.body.get("labels") or {}).get(name) == value for name, value in labels.items())


@contextmanager
def fake_hub_jobs(folder: Path) -> Iterator[FakeHub]:
    """A fake Hub on a free port."""
    hub = FakeHub(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
        for job in hub.jobs.values():
            if job.process and job.process.poll() is None:
                job.process.kill()
                job.process.wait()

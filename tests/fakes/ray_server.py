"""A Ray head as its Jobs REST API shows it: a real HTTP server that really runs entrypoints, and can misbehave."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "fake-ray-token-0123456789abcdef"


@dataclass
class FakeJob:
    """One submitted job."""

    body: dict[str, Any]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    stopped: bool = False

    @property
    def status(self) -> str:
        if self.process is None:
            return "PENDING"
        code = self.process.poll()
        if code is None:
            return "RUNNING"
        if self.stopped:
            return "STOPPED"
        return "FAILED" if code else "SUCCEEDED"

    def told(self) -> dict[str, Any]:
        code = self.process.poll() if self.process else None
        waiting = "Job has not started yet. It may be waiting for resources (CPUs, GPUs) to become available."
        return {
            "submission_id": self.body["submission_id"],
            "status": self.status,
            "message": waiting if self.process is None else "",
            "metadata": self.body.get("metadata") or {},
            "driver_exit_code": None if self.stopped else code,
        }


@dataclass
class FakeRay:
    """The cluster. Tests turn its moods on and off."""

    folder: Path
    token: str = TOKEN
    hold: bool = False
    """Jobs stay pending, as when they ask for a GPU that nobody has."""
    unwell: bool = False
    """Every request is answered with HTTP 503."""
    starting: bool = False
    """It answers, but takes no job yet."""
    moved: str = ""
    """Every request is redirected there."""
    drop_answers: int = 0
    """So many submissions are taken, but their answers never arrive."""
    url: str = ""
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    packages: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def submit(self, body: dict[str, Any]) -> int:
        name = body["submission_id"]
        if name in self.jobs:
            return 500
        job = self.jobs[name] = FakeJob(body, self.folder / f"{name}.log")
        job.log.touch()
        if not self.hold:
            self._start(job)
        return 200

    def _start(self, job: FakeJob) -> None:
        runtime = job.body.get("runtime_env") or {}
        where = self.folder / "packages" / str(runtime.get("working_dir", "none")).removeprefix("gcs://")
        where.mkdir(parents=True, exist_ok=True)
        if "working_dir" in runtime:
            zipfile.ZipFile(io.BytesIO(self.packages[where.name])).extractall(where)
        job.process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {job.body['entrypoint']}"],
            cwd=where,
            env={**os.environ, **runtime.get("env_vars", {})},
            stdout=job.log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def stop(self, name: str) -> None:
        job = self.jobs[name]
        if job.process is None or job.process.poll() is not None:
            return  # like the real one, which leaves a pending job pending
        job.stopped = True
        job.process.send_signal(signal.SIGTERM)
        grace = float(job.body["runtime_env"]["env_vars"].get("RAY_JOB_STOP_WAIT_TIME_S", 3))
        threading.Thread(target=self._end, args=(job.process, grace), daemon=True).start()

    @staticmethod
    def _end(process: subprocess.Popen[bytes], grace: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def forget(self) -> None:
        """The head restarts: its jobs die with it, and it knows nothing of them."""
        self.close()
        self.jobs.clear()

    def close(self) -> None:
        for job in self.jobs.values():
            if job.process and job.process.poll() is None:
                os.killpg(job.process.pid, signal.SIGKILL)
                job.process.wait()


class _Handler(BaseHTTPRequestHandler):
    ray: FakeRay

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        if not self._may():
            return
        parts = [part for part in self.path.split("/") if part][1:]
        match parts:
            case ["version"]:
                self._json({"version": "4", "ray_version": "2.60.0"})
            case ["packages", "gcs", name]:
                self._text(200 if name in self.ray.packages else 404, "")
            case ["jobs"]:
                self._json([job.told() for job in self.ray.jobs.values()])
            case ["jobs", name, *rest] if name in self.ray.jobs:
                job = self.ray.jobs[name]
                self._json({"logs": job.log.read_text()} if rest else job.told())
            case _:
                self._text(404, "does not exist")

    def do_PUT(self) -> None:
        content = self._body()
        if self._may():
            self.ray.packages[self.path.rsplit("/", 1)[1]] = content
            self._text(200, "")

    def do_POST(self) -> None:
        content = self._body()
        if not self._may():
            return
        if self.path.endswith("/stop"):
            self.ray.stop(self.path.split("/")[-2])
            self._json({"stopped": True})
            return
        if self.ray.starting:
            self._text(500, "No available agent to submit job, please try again later.")
            return
        code = self.ray.submit(json.loads(content))
        if self.ray.drop_answers:
            self.ray.drop_answers -= 1
            self.connection.close()
            return
        self._text(
            code, "{}" if code == 200 else "RuntimeError: Request failed with status code 400: it already exists"
        )

    def _may(self) -> bool:
        self.ray.requests.append(f"{self.command} {self.path}")
        given = self.headers.get("Authorization", "")
        if self.ray.moved:
            self.send_response(307)
            self.send_header("Location", self.ray.moved + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.ray.unwell:
            self._text(503, "")
        elif self.ray.token and given != f"Bearer {self.ray.token}":
            self._text(403 if given else 401, "Unauthorized")
        else:
            return True
        return False

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _json(self, content: Any) -> None:
        self._text(200, json.dumps(content))

    def _text(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def fake_ray(folder: Path) -> Iterator[FakeRay]:
    """A fake head on a free port."""
    ray = FakeRay(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"ray": ray}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    ray.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield ray
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
        ray.close()

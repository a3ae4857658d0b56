"""The Hub's side of publishing a model: create, preupload, commit. A real HTTP server that keeps what it is sent."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TOKEN = "hf_a-write-token"
COMMIT = "fedcba9876543210fedcba9876543210fedcba98"


@dataclass
class FakeHubModels:
    """What was made and committed; `busy` answers every commit with that status."""

    url: str = ""
    busy: int = 0
    created: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    commits: int = 0
    validated: list[str] = field(default_factory=list)
    """Cards whose metadata it was asked to check."""

    @contextmanager
    def running(self) -> Iterator[FakeHubModels]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHubModels

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._json({"error": "Invalid credentials"}, 401)
            return
        match [part for part in urlsplit(self.path).path.split("/") if part]:
            case ["api", "repos", "create"]:
                self.hub.created.append(json.loads(content))
                self._json({"url": f"{self.hub.url}/acme/triage"})
            case ["api", "validate-yaml"]:
                self.hub.validated.append(json.loads(content)["content"])
                self._json({"errors": [], "warnings": []})
            case ["api", "models", "acme", _name, "preupload", _revision]:
                files = [{"path": each["path"], "uploadMode": "regular"} for each in json.loads(content)["files"]]
                self._json({"files": [{**each, "shouldIgnore": False} for each in files]})
            case ["api", "models", "acme", _name, "commit", _revision] if self.hub.busy:
                self._json({"error": "busy"}, self.hub.busy)
            case ["api", "models", "acme", name, "commit", _revision]:
                self._commit(name, content)
            case _:
                self._json({"error": "not found"}, 404)

    def _commit(self, name: str, content: bytes) -> None:
        for line in map(json.loads, content.splitlines()):
            if line["key"] == "file":
                self.hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        self.hub.commits += 1
        self._json({"commitUrl": f"{self.hub.url}/acme/{name}/commit/{COMMIT}", "commitOid": COMMIT, "success": True})

    def _json(self, content: Any, code: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

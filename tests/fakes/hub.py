"""A Hugging Face Hub with one model, on a local port: the three endpoints a download needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def running_hub(hub_id: str, folder: Path) -> Iterator[str]:
    """Serve the files of `folder` as this model until the block ends; yields the endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _answer(self, with_body: bool) -> None:
            path = self.path.split("?")[0]
            if path.startswith(f"/api/models/{hub_id}/tree/"):
                self._send(json.dumps(_tree(folder)).encode(), with_body)
            elif path.startswith(f"/api/models/{hub_id}"):
                self._send(json.dumps(_info(hub_id, folder)).encode(), with_body)
            elif path.startswith(f"/{hub_id}/resolve/{COMMIT}/"):
                self._send((folder / path.rpartition("/")[2]).read_bytes(), with_body)
            else:
                self.send_error(404)

        def _send(self, body: bytes, with_body: bool) -> None:
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _info(hub_id: str, folder: Path) -> dict[str, object]:
    files = [{"rfilename": path.name} for path in sorted(folder.iterdir())]
    return {"id": hub_id, "modelId": hub_id, "sha": COMMIT, "private": False, "tags": [], "siblings": files}


def _tree(folder: Path) -> list[dict[str, object]]:
    return [
        {
            "type": "file",
            "path": path.name,
            "oid": hashlib.sha1(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in sorted(folder.iterdir())
    ]

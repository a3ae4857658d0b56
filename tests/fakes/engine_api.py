"""A small container engine behind a unix socket: enough of Docker's API for the real SDK, wrong on purpose when asked.

A container's program is a FakeTgi in a child process (`runs=True`), or nothing but a state (the default).
"""

from __future__ import annotations

import json
import os
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from studio.deploy.targets.port import Place

ROOT = Path(__file__).parents[2]
Answer = tuple[int, Any]


@dataclass
class FakeContainer:
    """One container: what it was made of, and how it is."""

    id: str
    name: str
    body: dict[str, Any]
    status: str = "created"
    exit_code: int = 0
    log: bytes = b"2026 INFO text_generation_router: Connected\n"
    out_of_memory: bool = False
    signals: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    port: str = "18080"

    def inspected(self) -> dict[str, Any]:
        """As the engine describes it."""
        self.refresh()
        host = self.body.get("HostConfig", {})
        network = host.get("NetworkMode", "")
        bound = {port: [{**one[0], "HostPort": self.port}] for port, one in host.get("PortBindings", {}).items()}
        running = self.status == "running"
        return {
            "Id": self.id,
            "Name": f"/{self.name}",
            "Image": "sha256:img",
            "State": {
                "Status": self.status,
                "Running": running,
                "ExitCode": self.exit_code,
                "OOMKilled": self.out_of_memory,
                "Error": "",
            },
            "Config": {"Tty": False, "Image": self.body["Image"], "Labels": self.body.get("Labels") or {}},
            "HostConfig": host,
            "NetworkSettings": {
                "Ports": bound if running else {},
                "Networks": {network: {"IPAddress": "172.30.0.7" if running else ""}} if network else {},
            },
        }

    def refresh(self) -> None:
        """Notice that its process ended by itself."""
        if self.process is not None and self.status == "running" and self.process.poll() is not None:
            self.ended(self.process.returncode)

    def ended(self, code: int) -> None:
        """It is over."""
        self.status, self.exit_code = "exited", code if code >= 0 else 128 - code
        if self.process is not None and self.process.stdout is not None:
            self.process.wait()
            self.log += self.process.stdout.read()


@dataclass
class FakeEngine:
    """An engine with these images and networks. `faults` maps a step (create, start, kill ...) to a wrong answer."""

    socket: Path
    images: set[str] = field(default_factory=set)
    networks: set[str] = field(default_factory=set)
    faults: dict[str, Answer] = field(default_factory=dict)
    podman: bool = False
    runs: bool = False
    hangs: bool = False
    """Takes connections and says nothing."""
    ignores_term: bool = False
    pull_lines: list[dict[str, Any]] = field(default_factory=list)
    containers: dict[str, FakeContainer] = field(default_factory=dict)
    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Name and body of every container that was asked for."""
    asked: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address."""
        return f"unix://{self.socket}"

    def place(self, **options: Any) -> Place:
        """A place whose engine this is."""
        return Place("gpu-1", self.url, options=options)

    def only(self) -> FakeContainer:
        """The one container there is."""
        (found,) = self.containers.values()
        return found

    @contextmanager
    def running(self) -> Iterator[FakeEngine]:
        """Answer until the block ends; no child outlives it."""
        server = _Server(str(self.socket), _handler(self))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            server.shutdown()
            server.server_close()
            thread.join()
            for container in self.containers.values():
                _end(container)

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Answer:
        """One request's reply."""
        with self.lock:
            if path.startswith("/images"):
                return self._image(method, path, query)
            if path == "/containers/create":
                return self._create(query["name"], body)
            if path == "/containers/json":
                return 200, [self._listed(each) for each in self._matching(query)]
            if found := re.fullmatch(r"/networks/([^/]+)", path):
                there = unquote(found[1]) in self.networks
                return (200, {"Id": found[1], "Name": found[1]}) if there else _no(404, f"network {found[1]} not found")
            if found := re.fullmatch(r"/containers/([^/]+)(?:/(\w+))?", path):
                return self._container(method, found[1], found[2] or "", query)
        return OTHERS.get(path, _no(404, "page not found"))

    def _image(self, method: str, path: str, query: dict[str, str]) -> Answer:
        if path == "/images/create":
            name = f"{query['fromImage']}:{query['tag']}"
            if "pull" in self.faults:
                return self.faults["pull"]
            if not any("error" in line for line in self.pull_lines):
                self.images.add(name)
            return 200, "".join(f"{json.dumps(line)}\r\n" for line in self.pull_lines).encode()
        name = unquote(path.removeprefix("/images/").removesuffix("/json"))
        return (200, {"Id": "sha256:img"}) if name in self.images else _no(404, f"No such image: {name}")

    def _create(self, name: str, body: dict[str, Any]) -> Answer:
        self.made.append((name, body))
        if "create" in self.faults:
            return self.faults["create"]
        if body["Image"] not in self.images:
            return _no(404, f"No such image: {body['Image']}")
        if any(each.name == name for each in self.containers.values()):
            said = f'the container name "/{name}" is already in use by container'
            return _no(500, said) if self.podman else _no(409, f"Conflict. {said.capitalize()}")
        made = FakeContainer(f"{len(self.made):064x}", name, body)
        self.containers[made.id] = made
        return 201, {"Id": made.id, "Warnings": []}

    def _matching(self, query: dict[str, str]) -> list[FakeContainer]:
        wanted = json.loads(query.get("filters") or "{}").get("label", [])
        labels = [dict([label.split("=", 1)]) for label in wanted]
        found = list(self.containers.values())
        return [each for each in found if all(one.items() <= each.body.get("Labels", {}).items() for one in labels)]

    def _listed(self, container: FakeContainer) -> dict[str, Any]:
        container.refresh()
        return {"Id": container.id, "Names": [f"/{container.name}"], "State": container.status, "Status": "?"}

    def _container(self, method: str, key: str, verb: str, query: dict[str, str]) -> Answer:
        found = next((each for each in self.containers.values() if key in (each.id, each.name)), None)
        if found is None:
            return _no(404, f"No such container: {key}")
        step = "remove" if method == "DELETE" else verb
        if step in self.faults:
            return self.faults[step]
        verbs: dict[str, Callable[[FakeContainer, dict[str, str]], Answer]] = {
            "remove": self._remove,
            "start": self._start,
            "kill": self._kill,
            "stop": self._stop,
            "rename": self._rename,
            "logs": _logs,
        }
        return verbs[step](found, query) if step in verbs else (200, found.inspected())

    def _remove(self, container: FakeContainer, query: dict[str, str]) -> Answer:
        _end(container)
        del self.containers[container.id]
        return 204, None

    def _start(self, container: FakeContainer, query: dict[str, str]) -> Answer:
        if container.status == "running":
            return 304, None
        container.status = "running"
        if self.runs:
            _run(container)
        return 204, None

    def _kill(self, container: FakeContainer, query: dict[str, str]) -> Answer:
        container.refresh()
        if container.status != "running":
            return _no(409, f"cannot kill container: {container.id}: container {container.id} is not running")
        container.signals.append(query["signal"])
        if self.ignores_term:
            return 204, None
        if container.process is not None:
            container.process.terminate()
        else:
            container.ended(0)
        return 204, None

    def _stop(self, container: FakeContainer, query: dict[str, str]) -> Answer:
        """With no time to leave, which is all that we ask for."""
        assert query["t"] == "0"
        container.refresh()
        if container.status != "running":
            return 304, None
        if container.process is not None:
            container.process.kill()
        container.signals.append("SIGKILL")
        container.ended(137)
        return 204, None

    def _rename(self, container: FakeContainer, query: dict[str, str]) -> Answer:
        container.name = query["name"]
        return 204, None


OTHERS: dict[str, Answer] = {
    "/_ping": (200, b"OK"),
    "/version": (200, {"ApiVersion": "1.47", "MinAPIVersion": "1.24", "Version": "27.5.1", "Os": "linux"}),
}


def _no(code: int, message: str) -> Answer:
    return code, {"message": message}


def _logs(container: FakeContainer, query: dict[str, str]) -> Answer:
    lines = container.log.splitlines(keepends=True)[-int(query["tail"]) :]
    text = b"".join(lines)
    return 200, b"\x01\0\0\0" + len(text).to_bytes(4, "big") + text if text else b""


def _run(container: FakeContainer) -> None:
    """Its program, with its arguments, its environment and its first mount; it answers once its port is known."""
    folder = container.body["HostConfig"]["Mounts"][0]["Source"]
    given = dict(line.split("=", 1) for line in container.body["Env"])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.engine_child", *container.body["Cmd"]],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], **given, "FAKE_MODEL_FOLDER": folder},
    )
    container.process = process
    assert process.stdout is not None
    first = process.stdout.readline()
    container.log += first
    if found := re.search(rb":(\d+)$", first.strip()):
        container.port = found[1].decode()


def _end(container: FakeContainer) -> None:
    if container.process is not None:
        with suppress(ProcessLookupError):
            container.process.kill()
        container.process.wait()
        if container.process.stdout is not None:
            container.process.stdout.close()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def _handler(engine: FakeEngine) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        client_address = ("", 0)

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            sent = self.rfile.read(length)
            parts = urlsplit(self.path)
            path = re.sub(r"^/v1\.\d+", "", parts.path)
            engine.asked.append(f"{self.command} {path}")
            if engine.hangs:
                engine.released.wait(60)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            body = json.loads(sent) if sent.strip().startswith(b"{") else {}
            with suppress(BrokenPipeError):
                self._reply(*engine.answer(self.command, path, query, body))

        do_POST = do_DELETE = do_HEAD = do_GET

        def _reply(self, status: int, body: Any) -> None:
            data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("api-version", "1.47")
            chunked = self.path.split("?")[0].endswith("/images/create") and status == 200
            self.send_header(*(("transfer-encoding", "chunked") if chunked else ("content-length", str(len(data)))))
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if chunked else data)

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: Any) -> None:
            """Tests do not need an access log."""

    return Handler

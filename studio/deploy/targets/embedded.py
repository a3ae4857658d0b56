"""The embedded target: a server process on this host, in a session of its own, so that it outlives its starter."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from storage.artifacts import write_atomically
from studio.deploy.targets.port import Caps, Launch, Look, Place, Running
from studio.jobs import processes

COOKIE = "STUDIO_SERVER"
EXIT = "exit.json"
TAIL_LINES = 50
LOG_LIMIT = 8 << 20
SMALL_MODEL = 50_000_000
# It must not look like part of a job, and has no business with the studio's secrets.
SECRET_WORDS = ("STUDIO_", "KEY", "TOKEN", "SECRET", "PASSWORD")


class EmbeddedTarget:
    """Starts `python -m studio.deploy.server`; a handle is `pid:start-time`, which no other process can have."""

    caps = Caps()

    def __init__(self, place: Place | None = None) -> None:
        """This machine is the only place there is."""

    def launch(self, launch: Launch) -> Running:
        """Start the server, or adopt the one this revision has."""
        return self._adopt(launch) or self._start(launch)

    def look(self, handle: str, folder: Path) -> Look:
        """Whether exactly this process lives, the end of its log, and how it ended if its starter is asked."""
        if not handle:
            return Look(False, tail(folder / "server.log"))
        _keep_exit(handle, folder)
        return Look(_alive(handle), tail(folder / "server.log"), _kept_exit(handle, folder))

    def stop(self, handle: str, now: bool = False) -> None:
        """TERM lets streams finish (30 s at most); `now` kills."""
        if handle and _alive(handle):
            with suppress(ProcessLookupError):
                os.kill(_pid(handle), signal.SIGKILL if now else signal.SIGTERM)

    def _adopt(self, launch: Launch) -> Running | None:
        known = launch.folder / "server.json"
        found = processes.with_cookie(COOKIE, launch.revision_id)
        if not found or not known.exists():
            processes.kill(found)  # started, but its port was never written down: nobody can use it
            return None
        return Running(_handle(found[0]), str(json.loads(known.read_text())["endpoint"]))

    def _start(self, launch: Launch) -> Running:
        launch.folder.mkdir(parents=True, exist_ok=True)
        endpoint = f"http://127.0.0.1:{free_port()}"
        write_atomically(launch.folder / "server.json", json.dumps({"endpoint": endpoint}).encode())
        process = subprocess.Popen(
            _command(launch, endpoint),
            stdin=subprocess.DEVNULL,
            stdout=(log := _open_log(launch.folder / "server.log")),
            stderr=log,
            start_new_session=True,
            env=_environment(launch),
        )
        os.close(log)
        return Running(_handle(process.pid), endpoint)


def free_port() -> int:
    """A port nobody listens on now. Should another take it first, the identity gate refuses that server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log; empty when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - 64_000))
        return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])


def _command(launch: Launch, endpoint: str) -> list[str]:
    key = launch.folder / "key"
    _write_key(key, launch.api_key)
    options = launch.options or {}
    small = 0 < launch.parameters < SMALL_MODEL
    threads = int(options.get("threads") or (1 if small else max(1, (os.cpu_count() or 2) // 2)))
    command = [sys.executable, "-m", "studio.deploy.server", "--model-dir", str(launch.model_folder)]
    command += ["--served-name", launch.served_name, "--port", endpoint.rpartition(":")[2]]
    command += ["--api-key-file", str(key), "--threads", str(threads)]
    return [*command, "--max-total-tokens", str(int(options.get("max_total_tokens") or 0))]


def _environment(launch: Launch) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not any(word in name for word in SECRET_WORDS)}
    root = str(Path(__file__).parents[3])
    return {
        **kept,
        COOKIE: launch.revision_id,
        "PYTHONPATH": os.pathsep.join(filter(None, [root, kept.get("PYTHONPATH", "")])),
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def _write_key(path: Path, key: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(key)


def _open_log(path: Path) -> int:
    """Append, so that the reason of a crash is still there after the restart; start over when it has grown large."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _handle(pid: int) -> str:
    return f"{pid}:{processes.start_time(pid)}"


def _pid(handle: str) -> int:
    return int(handle.partition(":")[0])


def _alive(handle: str) -> bool:
    pid = _pid(handle)
    return processes.is_alive(pid) and _handle(pid) == handle


def _keep_exit(handle: str, folder: Path) -> None:
    """The system tells how a process ended only to the one that started it, and once: write it down."""
    with suppress(ChildProcessError):
        ended, status = os.waitpid(_pid(handle), os.WNOHANG)
        if ended and folder.exists():
            known = {"handle": handle, "code": os.waitstatus_to_exitcode(status)}
            write_atomically(folder / EXIT, json.dumps(known).encode())


def _kept_exit(handle: str, folder: Path) -> int | None:
    if not (folder / EXIT).exists():
        return None
    known = json.loads((folder / EXIT).read_text())
    return int(known["code"]) if known["handle"] == handle else None

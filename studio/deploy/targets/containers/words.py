"""The last words of a container: kept in the revision's folder before the container is removed."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from docker.errors import APIError
from docker.models.containers import Container

from storage.artifacts import write_atomically
from studio.deploy.targets.port import Look
from studio.errors import StorageFull

TAIL_LINES = 50
FILE = "ended.json"


def tail(container: Container) -> str:
    """The end of its log; the reason if the engine gives none."""
    try:
        said: bytes = container.logs(tail=TAIL_LINES)
    except APIError as error:
        return f"The engine gives no log: {error.explanation or error}"
    return said.decode(errors="replace").strip()


def keep(folder: Path, container: Container) -> Look:
    """What is to be known of a container that ended, written down first: after its removal nobody can ask."""
    state = container.attrs["State"]
    code = int(state.get("ExitCode") or 0)
    found = Look(False, log_tail=f"{tail(container)}\n{_how_it_ended(code, state)}".strip(), exit_code=code)
    kept = {"handle": container.id, "exit_code": code, "log_tail": found.log_tail}
    try:
        write_atomically(folder / FILE, json.dumps(kept).encode())
    except OSError as error:
        raise StorageFull(f"The log of a container that ended cannot be kept in {folder}: {error.strerror}.") from error
    return found


def last(folder: Path, handle: str) -> Look | None:
    """What was kept of this container; None if it was another one, or nothing was kept."""
    with suppress(OSError, ValueError):
        kept = json.loads((folder / FILE).read_text())
        if kept["handle"] == handle:
            return Look(False, log_tail=str(kept["log_tail"]), exit_code=int(kept["exit_code"]))
    return None


def _how_it_ended(code: int, state: dict[str, object]) -> str:
    why = " It ran out of memory." if state.get("OOMKilled") else ""
    engine_said = f" {state['Error']}" if state.get("Error") else ""
    return f"The container ended with exit code {code}.{why}{engine_said}"

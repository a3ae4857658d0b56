"""The external target: a TGI, vLLM or other OpenAI-compatible server that somebody else runs."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from storage.artifacts import write_atomically
from studio.access.places import Health
from studio.deploy.targets.asking import Asker
from studio.deploy.targets.dialects import DIALECTS, key_is_needed, told_by
from studio.deploy.targets.port import Caps, Launch, Look, Place, Running
from studio.errors import InvalidInput, StudioError

LISTED = 5


class ExternalTarget:
    """Nothing to start or stop: the gates decide whether what answers there is our model."""

    caps = Caps(managed=False, needs_weights=False, adapter=True, outlives_studio=True)

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()

    def launch(self, launch: Launch) -> Running:
        """Take the address from the place or the revision's settings. Raises InvalidInput if there is none."""
        options = {**self.place.options, **{name: value for name, value in (launch.options or {}).items() if value}}
        if self.place.url and options.get("url"):
            raise InvalidInput(
                f"{self.place.name} has an address already, and its key goes nowhere else. Leave url out."
            )
        url = str(self.place.url or options.get("url") or "").rstrip("/").removesuffix("/v1")
        dialect = str(options.get("dialect") or "")
        if not url.startswith(("http://", "https://")):
            raise InvalidInput("An external server needs its address, such as http://gpu-1:8080.")
        if dialect and dialect not in DIALECTS:
            raise InvalidInput(f"An external server speaks {', '.join(DIALECTS)}, not {dialect!r}.")
        dialect = dialect or _dialect(Asker(url, launch.api_key), launch.folder / "server.json")
        return Running(handle=url, endpoint=url, dialect=dialect, served_name=str(options.get("model") or ""))

    def look(self, handle: str, folder: Path) -> Look:
        """Its life is not ours to see; the health gate asks it."""
        return Look(alive=True)

    def stop(self, handle: str, now: bool = False) -> None:
        """Leave it running: it is not ours."""

    def check(self) -> Health:
        """What the server tells about itself, and the dialect it speaks. Raises StudioError if it does not answer."""
        server = Asker(self.place.url, self.place.key)
        told = told_by(server)
        wanted = str(self.place.options.get("model") or "")
        if wanted and wanted not in told.models:
            return Health(False, f"{told.software} answers, but serves {_listed(told.models)} and no {wanted!r}.")
        warnings = _warnings(self.place, server, told.dialect)
        return Health(True, f"{told.software} answers. {_serves(told.models)}", warnings, {"dialect": told.dialect})


def _dialect(server: Asker, known: Path) -> str:
    """What it speaks; once heard it is remembered, so that a server that is away for a moment keeps its dialect."""
    try:
        dialect = told_by(server).dialect
    except StudioError:
        with suppress(OSError, ValueError, KeyError):
            return str(json.loads(known.read_text())["dialect"])
        return "openai"
    known.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(known, json.dumps({"dialect": dialect}).encode())
    return dialect


def _warnings(place: Place, server: Asker, dialect: str) -> tuple[str, ...]:
    said = str(place.options.get("dialect") or dialect)
    found = []
    if said != dialect:
        found.append(f"It is saved as speaking {said}, but it speaks {dialect}.")
    if place.key and not key_is_needed(server):
        found.append("It lists its models without the key too.")
    return tuple(found)


def _serves(models: tuple[str, ...]) -> str:
    return f"It serves {_listed(models)}." if models else "It lists no model."


def _listed(models: tuple[str, ...]) -> str:
    more = f" and {len(models) - LISTED} more" if len(models) > LISTED else ""
    return (", ".join(models[:LISTED]) or "nothing") + more

"""The external target: a TGI, vLLM or other OpenAI-compatible server that somebody else runs."""

from __future__ import annotations

from pathlib import Path

from studio.deploy.targets.port import Caps, Launch, Look, Place, Running
from studio.errors import InvalidInput

DIALECTS = ("openai", "tgi")


class ExternalTarget:
    """Nothing to start or stop: the gates decide whether what answers there is our model."""

    caps = Caps(managed=False, needs_weights=False, adapter=True)

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()

    def launch(self, launch: Launch) -> Running:
        """Take the address from the revision's settings. Raises InvalidInput if there is none."""
        options = launch.options or {}
        url = str(options.get("url") or self.place.url).rstrip("/")
        dialect = str(options.get("dialect") or self.place.options.get("dialect") or "openai")
        if not url.startswith(("http://", "https://")):
            raise InvalidInput("An external server needs its address, such as http://gpu-1:8080.")
        if dialect not in DIALECTS:
            raise InvalidInput(f"An external server speaks {' or '.join(DIALECTS)}, not {dialect!r}.")
        return Running(handle=url, endpoint=url.removesuffix("/v1"), dialect=dialect)

    def look(self, handle: str, folder: Path) -> Look:
        """Its life is not ours to see; the health gate asks it."""
        return Look(alive=True)

    def stop(self, handle: str, now: bool = False) -> None:
        """Leave it running: it is not ours."""

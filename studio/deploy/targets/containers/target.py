"""A serving target whose servers are containers: made, found again, watched and ended through the engine's API.

Nothing here waits for a server to finish: a stop asks it to leave and returns, the reconciler looks again later and
ends it when its time is up. The container's own stop timeout gives the same time to whoever stops it by hand.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from studio.access.places import Health
from studio.deploy.artifact.tgi_facts import STOP_GRACE_S
from studio.deploy.targets.containers import words
from studio.deploy.targets.containers.engine import engine, has_image, is_remote, pull
from studio.deploy.targets.containers.errors import NO_IMAGE, name_taken
from studio.deploy.targets.containers.options import LOOPBACK, ContainerOptions, options_of
from studio.deploy.targets.containers.payload import PORT, REVISION, Server, container_name, payload
from studio.deploy.targets.port import Caps, Launch, Look, Place, Running
from studio.errors import Conflict, InvalidInput, StudioError

LOOK_S, ASK_S, START_S, PULL_S = 5.0, 20.0, 60.0, 600.0
ENDED = ("exited", "dead", "stopped")
LEAVING = "-leaving"
GONE = "The container is gone: somebody removed it."
OTHERS = "A container named {name} that the studio did not make is in the way. Remove it with `docker rm {name}`."
REMOTE = (
    "The container engine is on another machine, so a port of its 127.0.0.1 leads nowhere from here. Set the place's "
    "option bind_address to that machine's address in the private network."
)


class ContainerTarget(ABC):
    """What TGI and vLLM have in common; a handle is the container's id."""

    caps = Caps(adapter=True, grammar=True, grace_s=STOP_GRACE_S, outlives_studio=True)
    dialect = ""

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()

    @abstractmethod
    def image(self, options: ContainerOptions) -> str:
        """The image to run."""

    @abstractmethod
    def server(self, launch: Launch, options: ContainerOptions) -> Server:
        """How the server is started for this revision."""

    def launch(self, launch: Launch) -> Running:
        """Find the revision's container, or make one, and start it."""
        options = self._options(launch.options)
        server = self.server(launch, options)
        body = payload(server, launch, options)
        with engine(self.place, START_S, server.image) as client:
            container = _mine(client, launch) or _made(client, launch, body)
            _started(container)
            return Running(str(container.id), self._endpoint(container, options), self.dialect)

    def look(self, handle: str, folder: Path) -> Look:
        """Whether it runs, and the end of its log. An engine that does not answer says nothing about its containers."""
        if not handle:
            return Look(False)
        try:
            with engine(self.place, LOOK_S) as client:
                return self._look(client, handle, folder)
        except StudioError as error:
            return Look(True, log_tail=f"Unknown: {error.message}")

    def stop(self, handle: str, now: bool = False) -> None:
        """TERM lets it finish its answers; `now` ends it. A container that is gone is fine."""
        with engine(self.place, ASK_S) as client, suppress(NotFound):
            container = client.containers.get(handle)
            if now:
                container.stop(timeout=0)
            else:
                _ask_to_leave(container)

    def prepare(self, options: dict[str, Any], report: Callable[[str], None]) -> None:
        """Fetch the image if it is missing and the place allows it; this may take long."""
        chosen = self._options(options)
        image = self.image(chosen)
        with engine(self.place, PULL_S, image) as client:
            if has_image(client, image):
                return
            if not chosen.pull:
                raise Conflict(NO_IMAGE.format(image=image))
            pull(client, image, report)

    def check(self) -> Health:
        """Ask the engine whether a server could be started now."""
        options = self._options(None)
        image = self.image(options)
        with engine(self.place, ASK_S, image) as client:
            version = client.version()
            if options.network:
                client.networks.get(options.network)
            there = has_image(client, image)
        said = f"The container engine {version.get('Version', '')} answers"
        if there:
            return Health(True, f"{said} and has the image {image}.")
        if options.pull:
            return Health(True, f"{said}. The first deployment fetches the image {image}.")
        return Health(False, NO_IMAGE.format(image=image))

    def _options(self, revision: dict[str, Any] | None) -> ContainerOptions:
        options = options_of(self.place.options, revision)
        if is_remote(self.place) and (options.network or options.bind_address == LOOPBACK):
            raise InvalidInput(REMOTE)
        return options

    def _look(self, client: DockerClient, handle: str, folder: Path) -> Look:
        try:
            container = client.containers.get(handle)
        except NotFound:
            return words.last(folder, handle) or Look(False, log_tail=GONE)
        if container.status not in ENDED:
            return Look(True, log_tail=words.tail(container), endpoint=self._endpoint(container, self._options(None)))
        found = words.keep(folder, container)
        with suppress(APIError):  # the next look, or the next launch, clears it away
            container.remove(v=True, force=True)
        return found

    def _endpoint(self, container: Container, options: ContainerOptions) -> str:
        """Where it answers; empty for a container that ended at once."""
        settings = container.attrs["NetworkSettings"]
        if options.network:
            address = str((settings["Networks"].get(options.network) or {}).get("IPAddress") or "")
            return f"http://{address}:{PORT}" if address else ""
        published = (settings.get("Ports") or {}).get(f"{PORT}/tcp") or []
        host = f"[{options.bind_address}]" if ":" in options.bind_address else options.bind_address
        return f"http://{host}:{published[0]['HostPort']}" if published else ""


def _mine(client: DockerClient, launch: Launch) -> Container | None:
    """The revision's container, wherever an earlier launch left it; what ended or is leaving is cleared away."""
    found = client.containers.list(all=True, filters={"label": f"{REVISION}={launch.revision_id}"}, ignore_removed=True)
    kept = None
    for container in found:
        if container.status in ENDED or str(container.name).endswith(LEAVING):
            words.keep(launch.folder, container)
            with suppress(NotFound):
                container.remove(v=True, force=True)
        else:
            kept = container
    return kept


def _made(client: DockerClient, launch: Launch, body: dict[str, Any]) -> Container:
    """A new container, or the one that another launch of the same revision made a moment ago."""
    name = container_name(launch.revision_id)
    try:
        return client.containers.get(client.api.create_container_from_config(body, name)["Id"])
    except APIError as error:
        if not name_taken(error):
            raise
    found = client.containers.get(name)
    if found.labels.get(REVISION) != launch.revision_id:
        raise Conflict(OTHERS.format(name=name))
    return found


def _started(container: Container) -> None:
    """Start it, which does nothing to one that runs; one that cannot start is removed, so the next try is a new one."""
    try:
        container.start()
    except APIError:
        with suppress(APIError):
            container.remove(v=True, force=True)
        raise
    container.reload()


def _ask_to_leave(container: Container) -> None:
    """Under another name, so that no launch takes it for a server that stays. One that has ended is left as it is."""
    if container.status in ENDED:
        return
    if not str(container.name).endswith(LEAVING):
        container.rename(f"{container.name}{LEAVING}")
    try:
        container.kill(signal="SIGTERM")  # unlike the engine's stop, this returns at once
    except APIError:
        container.reload()
        if container.status not in ENDED:
            raise

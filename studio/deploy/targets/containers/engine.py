"""The container engine of a place: where it listens, a client for it, its images."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docker import DockerClient
from docker.errors import APIError, ImageNotFound
from docker.tls import TLSConfig
from docker.utils import parse_repository_tag

from studio.deploy.targets.containers.errors import ENGINE_ERRORS, explained
from studio.deploy.targets.port import Place
from studio.errors import InvalidInput

DEFAULT_SOCKET = "/var/run/docker.sock"
SCHEMES = ("unix", "ssh", "tcp", "http", "https")


@contextmanager
def engine(place: Place, timeout: float, image: str = "") -> Iterator[DockerClient]:
    """A client of the place's engine; whatever goes wrong inside the block is a StudioError with the fix."""
    address = address_of(place)
    try:
        client = DockerClient(base_url=address, timeout=timeout, **_how(place, address))
        try:
            yield client
        finally:
            client.close()
    except ENGINE_ERRORS as error:
        raise explained(error, address, image) from error


def address_of(place: Place) -> str:
    """Where the engine listens: the place's address, DOCKER_HOST, else the first socket there is on this machine."""
    given = place.url or os.environ.get("DOCKER_HOST", "")
    if given:
        return given
    return f"unix://{next((path for path in _usual_sockets() if Path(path).exists()), DEFAULT_SOCKET)}"


def is_remote(place: Place) -> bool:
    """Whether the engine runs on another machine, whose loopback is not ours."""
    parts = urlsplit(address_of(place))
    return parts.scheme != "unix" and parts.hostname not in ("127.0.0.1", "::1", "localhost")


def pull(client: DockerClient, image: str, report: Callable[[str], None]) -> None:
    """Fetch an image, telling how much of it is here."""
    repository, tag = parse_repository_tag(image)
    layers: dict[str, tuple[int, int]] = {}
    told = ""
    for line in client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
        if "error" in line:
            raise APIError(str(line["error"]), explanation=str(line["error"]))
        said = _progress(image, layers, line)
        if said != told:
            report(told := said)


def has_image(client: DockerClient, image: str) -> bool:
    """Whether the engine has the image already."""
    try:
        client.api.inspect_image(image)
    except ImageNotFound:
        return False
    return True


def _progress(image: str, layers: dict[str, tuple[int, int]], line: dict[str, Any]) -> str:
    """The whole download after one more line about one of its layers; other lines say nothing of it."""
    detail = line.get("progressDetail") or {}
    if line.get("status") == "Downloading" and detail.get("total"):
        layers[str(line.get("id"))] = int(detail.get("current", 0)), int(detail["total"])
    have, total = (sum(column) for column in zip(*layers.values(), strict=True)) if layers else (0, 0)
    return f"Fetching {image}" + (f": {have / 1e9:.1f} of {total / 1e9:.1f} GB" if total else "")


def _usual_sockets() -> list[str]:
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    rootless = [f"{own}/docker.sock", f"{own}/podman/podman.sock"] if own else []
    return [DEFAULT_SOCKET, *rootless, "/run/podman/podman.sock"]


def _how(place: Place, address: str) -> dict[str, Any]:
    """How to speak to this address safely. Raises InvalidInput for an engine that anyone on the network could use."""
    scheme = urlsplit(address).scheme
    folder = str(place.options.get("tls_folder") or os.environ.get("DOCKER_CERT_PATH", ""))
    if scheme not in SCHEMES:
        raise InvalidInput("The address of a container engine starts with unix://, ssh:// or tcp://.")
    if scheme == "ssh":
        return {"use_ssh_client": True}
    if scheme != "unix" and folder:
        return {"tls": _tls(Path(folder))}
    if scheme != "unix" and is_remote(place):
        raise InvalidInput(
            "A container engine on another machine needs TLS: set the place's option tls_folder to the folder with "
            "ca.pem, cert.pem and key.pem, or use ssh://. Without it, anyone on the network is root there."
        )
    return {}


def _tls(folder: Path) -> TLSConfig:
    missing = [name for name in ("ca.pem", "cert.pem", "key.pem") if not (folder / name).is_file()]
    if missing:
        raise InvalidInput(f"{', '.join(missing)} is missing in the place's tls_folder {folder}.")
    own = (str(folder / "cert.pem"), str(folder / "key.pem"))
    return TLSConfig(client_cert=own, ca_cert=str(folder / "ca.pem"), verify=True)

"""The Engine API's request that makes a container, as a pure function: what is written here is what runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from studio.deploy.artifact.tgi_facts import MODELS, STOP_GRACE_S
from studio.deploy.targets.containers.options import ContainerOptions
from studio.deploy.targets.port import Launch
from studio.errors import InvalidInput

REVISION, DEPLOYMENT = "studio.revision", "studio.deployment"
ADAPTERS = "/adapters"
PORT = 8080
"""Above 1024: without capabilities a server cannot listen below."""
SERVED_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")
LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


@dataclass(frozen=True)
class Server:
    """How one server program is started: what differs between TGI and vLLM."""

    image: str
    command: list[str]
    environment: dict[str, str]
    entrypoint: list[str] | None = None
    capabilities: tuple[str, ...] = ()


def container_name(revision_id: str) -> str:
    """One per revision, so that a second launch meets the first one's container."""
    return f"studio-{revision_id}"


def model_path(launch: Launch) -> str:
    """Where the weights are inside. TGI calls itself by this path, so it carries the revision's name."""
    return f"{MODELS}/{_plain_name(launch.served_name)}"


def adapter_path(launch: Launch) -> str:
    """Where the adapter is inside."""
    return f"{ADAPTERS}/{_plain_name(launch.served_name)}"


def payload(server: Server, launch: Launch, options: ContainerOptions) -> dict[str, Any]:
    """The body of POST /containers/create."""
    made = {
        "Image": server.image,
        "Cmd": server.command,
        "Env": [f"{name}={value}" for name, value in sorted(server.environment.items())],
        "Labels": _labels(launch),
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "StopSignal": "SIGTERM",
        "StopTimeout": STOP_GRACE_S,
        "HostConfig": _host(server, launch, options),
    }
    return {**made, "Entrypoint": server.entrypoint} if server.entrypoint else made


def _host(server: Server, launch: Launch, options: ContainerOptions) -> dict[str, Any]:
    return {
        "Mounts": _mounts(launch, options),
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "RestartPolicy": {"Name": "no"},  # the reconciler restarts: two that do would fight
        "ShmSize": options.shm,
        "LogConfig": LOG,
        **({"CapAdd": list(server.capabilities)} if server.capabilities else {}),
        **({"Memory": options.memory} if options.memory else {}),
        **_reach(options),
        **_devices(server.image, options),
    }


def _reach(options: ContainerOptions) -> dict[str, Any]:
    """A private network without any port, or a free port of one address that is not public."""
    if options.network:
        return {"NetworkMode": options.network}
    return {"PortBindings": {f"{PORT}/tcp": [{"HostIp": options.bind_address, "HostPort": ""}]}}


def _devices(image: str, options: ContainerOptions) -> dict[str, Any]:
    if options.on_cpu:
        return {}
    if "rocm" in image:  # AMD's driver is reached by its device files, not by the engine's GPU requests
        nodes = ("/dev/kfd", "/dev/dri")
        made = [{"PathOnHost": node, "PathInContainer": node, "CgroupPermissions": "rwm"} for node in nodes]
        return {"Devices": made, "GroupAdd": ["video"]}
    which = {"DeviceIDs": options.gpus} if options.gpus else {"Count": -1}
    return {"DeviceRequests": [{"Driver": "", **which, "Capabilities": [["gpu"]]}]}


def _mounts(launch: Launch, options: ContainerOptions) -> list[dict[str, Any]]:
    folders = [(launch.model_folder, model_path(launch))]
    if launch.adapter_folder is not None:
        folders.append((launch.adapter_folder, adapter_path(launch)))
    return [
        {"Type": "bind", "Source": _on_host(folder, options), "Target": target, "ReadOnly": True}
        for folder, target in folders
    ]


def _on_host(folder: Path, options: ContainerOptions) -> str:
    """The folder's path as the engine sees it."""
    if not options.host_models_path:
        return str(folder.absolute())
    above = next((parent for parent in folder.parents if parent.name == "models"), None)
    if above is None:
        raise InvalidInput(
            f"{folder} is not below the studio's folder models, so host_models_path does not lead to it."
        )
    return str(PurePosixPath(options.host_models_path) / folder.relative_to(above))


def _labels(launch: Launch) -> dict[str, str]:
    return {REVISION: launch.revision_id, **({DEPLOYMENT: launch.deployment_id} if launch.deployment_id else {})}


def _plain_name(name: str) -> str:
    """TGI's start script splits its arguments at spaces, and LORA_ADAPTERS at `=`, `@` and `,`."""
    if not SERVED_NAME.fullmatch(name):
        raise InvalidInput(
            f"A container cannot serve a model under the name {name!r}. Use an alias of letters, digits, "
            "dots, dashes and underscores."
        )
    return name

"""Every serving target, name → "module:Class", loaded lazily; others come by the entry-point group."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from studio.deploy.targets.port import Place, ServingTarget
from studio.errors import NotFound

TARGETS: dict[str, str] = {
    "embedded": "studio.deploy.targets.embedded:EmbeddedTarget",
    "tgi": "studio.deploy.targets.containers.tgi:TgiContainer",
    "vllm": "studio.deploy.targets.containers.vllm:VllmContainer",
    "external": "studio.deploy.targets.external:ExternalTarget",
    "vllm_server": "studio.deploy.targets.vllm_server:VllmServerTarget",
    "endpoints": "studio.deploy.targets.endpoints:EndpointsTarget",
    "fireworks": "studio.deploy.targets.fireworks:FireworksTarget",
    "together": "studio.deploy.targets.together:TogetherTarget",
}
ENTRY_POINT_GROUP = "whetstone.targets"


def serving_target(name: str, place: Place | None = None) -> ServingTarget:
    """The target of this name at this place. Raises NotFound with the names there are."""
    known = {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)} | TARGETS
    if name not in known:
        raise NotFound(f"There is no serving target {name!r}. Use one of: {', '.join(sorted(known))}.")
    module, _, attribute = known[name].partition(":")
    found: ServingTarget = getattr(import_module(module), attribute)(place or Place())
    return found

"""Launch bundles: everything to serve a model where the studio does not start servers itself. One file per tool."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from studio.deploy.bundles.port import LaunchBundle
from studio.errors import NotFound

BUNDLES: dict[str, str] = {
    "sglang": "studio.deploy.bundles.sglang:SGLang",
    "tensorrt_llm": "studio.deploy.bundles.tensorrt_llm:TensorRTLLM",
    "fireworks": "studio.deploy.bundles.fireworks:Fireworks",
    "together": "studio.deploy.bundles.together:Together",
    "bedrock": "studio.deploy.bundles.bedrock:Bedrock",
}
ENTRY_POINT_GROUP = "whetstone.bundles"


def names() -> list[str]:
    """Every tool that there is a bundle for."""
    return [*BUNDLES, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))]


def launch_bundle(name: str) -> LaunchBundle:
    """The bundle for this tool. Raises NotFound with the names there are."""
    known = {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)} | BUNDLES
    if name not in known:
        raise NotFound(f"There is no launch bundle for {name!r}. Use one of: {', '.join(sorted(known))}.")
    module, _, attribute = known[name].partition(":")
    found: LaunchBundle = getattr(import_module(module), attribute)()
    return found

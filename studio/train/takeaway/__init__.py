"""Taking a run elsewhere and bringing back what came of it: an exporter per tool, one way in."""

from __future__ import annotations

from studio.errors import InvalidInput
from studio.train.takeaway.axolotl import Axolotl
from studio.train.takeaway.llama_factory import LlamaFactory
from studio.train.takeaway.port import Base, BundleInput, Files, TakeAway
from studio.train.takeaway.trl import Trl
from studio.train.takeaway.unsloth import Unsloth

TOOLS: dict[str, TakeAway] = {each.name: each for each in (Trl(), Axolotl(), LlamaFactory(), Unsloth())}


def take_away(name: str) -> TakeAway:
    """The tool with this name. Raises InvalidInput naming those there are."""
    found = TOOLS.get(name)
    if found is None:
        raise InvalidInput(f"There is no tool {name!r} to take a run to. Choose among: {', '.join(TOOLS)}.")
    return found


__all__ = ["TOOLS", "Base", "BundleInput", "Files", "TakeAway", "take_away"]

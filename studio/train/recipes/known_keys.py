"""Which keys TRL's recipes have, as installed: `python -m studio.train.recipes.known_keys` writes the list.

The web process must know them without importing TRL, so the list is checked in and a test compares the two.
"""

from __future__ import annotations

import dataclasses
import json
from importlib import import_module
from inspect import get_annotations
from pathlib import Path
from typing import Any

LIST = Path(__file__).parents[1] / "known_keys.json"
CONFIGS = {
    "sft": "trl:SFTConfig",
    "dpo": "trl:DPOConfig",
    "kto": "trl:KTOConfig",
    "reward": "trl:RewardConfig",
    "grpo": "trl:GRPOConfig",
    "orpo": "trl.experimental.orpo:ORPOConfig",
    "cpo": "trl.experimental.cpo:CPOConfig",
    "script": "trl:ScriptArguments",
    "model": "trl:ModelConfig",
    "data": "trl:DatasetMixtureConfig",
}


def installed() -> dict[str, dict[str, str]]:
    """Key → simple type (bool, int, float, str or any), by the part of TRL that reads it."""
    return {part: _keys(_loaded(target)) for part, target in CONFIGS.items()}


def as_text() -> str:
    """The list as it is checked in: keys that all trainers share are told once."""
    parts = installed()
    trainers = [parts[name] for name in CONFIGS if name not in ("script", "model", "data")]
    shared = {key: kind for key, kind in trainers[0].items() if all(part.get(key) == kind for part in trainers)}
    own = {
        name: {key: kind for key, kind in sorted(keys.items()) if shared.get(key) != kind}
        for name, keys in parts.items()
    }
    return json.dumps({"shared": dict(sorted(shared.items())), **own}, indent=1) + "\n"


def _loaded(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _keys(config: Any) -> dict[str, str]:
    """By the classes' own annotations: the parser changes the fields' types while it reads a recipe."""
    annotated = {name: kind for part in reversed(config.__mro__) for name, kind in get_annotations(part).items()}
    return {each.name: _simple(annotated[each.name]) for each in dataclasses.fields(config)}


def _simple(kind: Any) -> str:
    """The one plain type that values have, None aside; any where there are several."""
    text = kind.__name__ if isinstance(kind, type) else str(kind)
    names = {part.strip() for part in text.split("|")} - {"None"}
    return next(iter(names)) if len(names) == 1 and names <= {"bool", "int", "float", "str"} else "any"


if __name__ == "__main__":
    LIST.write_text(as_text(), encoding="utf-8")

"""Recipes as text: given out with what the studio needs in comments (TRL skips those), and read back strictly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from studio.errors import InvalidInput
from studio.train import recipe
from studio.train.methods import METHODS, Method, method

MARK = "# studio: "
KNOWN = Path(__file__).parent / "known_keys.json"
ALWAYS = ("shared", "script", "model", "data")
REFUSED = {
    "trust_remote_code": "runs code from the model's repository; the studio only runs its own",
    "push_to_hub": "would publish the model; deploy it, or upload the folder yourself",
    "hub_token": "would be kept in the clear; set HF_TOKEN for the worker",
    "chat_template_path": "would read a file of the worker's machine; the base's own template is used, as in serving",
    "resume_from_checkpoint": "is decided by the studio, which resumes from what the run's folder holds",
}
OURS = ("model_name_or_path", "dataset_name", "output_dir", "datasets", "dataset_config", "env")
"""Keys that say where things are: the version and the base are chosen beside the recipe."""
TYPES: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}


@dataclass(frozen=True)
class Parsed:
    """A recipe that was read from text."""

    method: Method
    recipe: dict[str, Any]
    studio: dict[str, Any]


def exported(values: dict[str, Any], studio: dict[str, Any]) -> str:
    """The recipe as a file for people and for TRL, from which `parsed` makes the same run again."""
    way = METHODS.get(str(studio.get("method", "sft")))
    how = f"# Also runs as: {way.command} --config recipe.yaml\n" if way and way.command else ""
    return f"{how}{MARK}{json.dumps(studio, ensure_ascii=False, sort_keys=True)}\n{recipe.as_yaml(values)}"


def parsed(text: str, method_name: str = "") -> Parsed:
    """A recipe from text. Raises InvalidInput naming the key that cannot be used and the nearest one that can."""
    found, noted = _mapping(text), _noted(text)
    given = found.pop("studio", None)
    studio = noted | (given if isinstance(given, dict) else {})
    way = method(method_name or str(studio.get("method", "sft")))
    check_studio(studio)
    values = {name: _checked(name, value, way) for name, value in found.items() if name not in OURS}
    return Parsed(way, {**recipe.PATHS, **values}, studio | {"method": way.name, "trainer": way.trainer})


def check_studio(studio: dict[str, Any]) -> None:
    """Raise InvalidInput for a key that studio.json does not have, and for a reward outside of the run's folder."""
    for name in studio:
        if name not in recipe.STUDIO_DEFAULTS:
            raise InvalidInput(_unknown(name, "the studio's own keys", list(recipe.STUDIO_DEFAULTS)))
    for each in studio.get("rewards") or ():
        path = PurePosixPath(str(each.get("folder", ""))) if isinstance(each, dict) else PurePosixPath("..")
        if path.is_absolute() or ".." in path.parts:
            raise InvalidInput("`rewards` is a list of checks like {name: exact_match}; a folder is one of the run's.")


@lru_cache(maxsize=16)
def known_keys(trainer: str) -> dict[str, str]:
    """Key → simple type of everything that this trainer's recipe may say."""
    parts = json.loads(KNOWN.read_text(encoding="utf-8"))
    return {key: kind for part in (*ALWAYS, trainer) for key, kind in parts[part].items()}


def _mapping(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f" (line {line + 1})" if line is not None else ""
        raise InvalidInput(f"The recipe is not valid YAML{where}. Each line should read `key: value`.") from error
    if not isinstance(found, dict) or not found:
        raise InvalidInput(
            "The recipe is empty. Each line should read `key: value`, for example `learning_rate: 0.0002`."
        )
    return {str(name): value for name, value in found.items()}


def _noted(text: str) -> dict[str, Any]:
    """What `exported` wrote into the comment."""
    line = next((line for line in text.splitlines() if line.startswith(MARK)), "")
    try:
        found = json.loads(line.removeprefix(MARK) or "{}")
    except ValueError as error:
        raise InvalidInput(f"The line that starts with `{MARK.strip()}` is not JSON. Remove it or mend it.") from error
    return found if isinstance(found, dict) else {}


def _checked(name: str, value: Any, way: Method) -> Any:
    keys = known_keys(way.trainer)
    if name not in keys:
        raise InvalidInput(_unknown(name, f"a recipe for {way.name}", list(keys)))
    if name in REFUSED and value not in (None, False):
        raise InvalidInput(f"The recipe's {name!r} {REFUSED[name]}. Remove the line.")
    if name == "attn_implementation" and "/" in str(value):
        raise InvalidInput("The recipe's 'attn_implementation' names code on the Hub; the studio only runs its own.")
    value = _number(value, keys[name])
    if value is not None and keys[name] in TYPES and not _fits(value, keys[name]):
        raise InvalidInput(f"The recipe's {name!r} must be {_in_words(keys[name])}, not {value!r}.")
    return value


def _number(value: Any, kind: str) -> Any:
    """YAML reads 2e-4 as text; people mean the number."""
    if not isinstance(value, str) or kind not in ("int", "float"):
        return value
    try:
        return int(value) if kind == "int" else float(value)
    except ValueError:
        return value


def _fits(value: Any, kind: str) -> bool:
    if kind != "bool" and isinstance(value, bool):
        return False
    return isinstance(value, TYPES[kind])


def _in_words(kind: str) -> str:
    return {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "text"}[kind]


def _unknown(name: str, where: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"There is no {name!r} in {where}." + (f" Did you mean {near[0]!r}?" if near else "")

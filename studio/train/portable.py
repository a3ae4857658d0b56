"""The portable form of a model folder: one that loads alike in transformers 5 and in the 4.51 that TGI 3.3.7 pins.

Saved by transformers 5 as it is, a model is refused there (tokenizer class), or worse, loads with the wrong rotary base
and answers differently without any error; and TGI's router looks for the chat template in tokenizer_config.json only.
`python -m studio.train.portable FOLDER...` rewrites what another tool saved.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from storage.artifacts import write_atomically
from studio.train.v4_config import lost_in_v4, v4_config

__all__ = ["lost_in_v4", "make_portable", "v4_config", "v4_tokenizer_config"]

GENERIC_CLASSES = ("TokenizersBackend", None)
MARKERS = re.compile(r"(\{%-?\s*)(end)?generation(\s*-?%\})")
AT_ONCE = "{%- set enable_thinking = false %}"


def make_portable(folder: Path) -> None:
    """Rewrite the JSON files of a saved model in place; doing it twice changes nothing."""
    config = _edit(folder / "config.json", v4_config)
    text = _template(folder / "chat_template.jinja")
    tokenizer = _edit(folder / "tokenizer_config.json", lambda found: v4_tokenizer_config(found, text))
    ends = config.get("eos_token_id"), _token_id(folder, tokenizer.get("eos_token"))
    if config:
        _edit(folder / "generation_config.json", lambda found: _with_end_list(found, *ends), create=True)


def v4_tokenizer_config(found: dict[str, Any], template: str | None) -> dict[str, Any]:
    """A tokenizer config with a class transformers 4 knows and the chat template inline."""
    config = {key: value for key, value in found.items() if key not in ("backend", "is_local")}
    if config.get("tokenizer_class") in GENERIC_CLASSES:
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    if isinstance(config.get("extra_special_tokens"), list):
        config["additional_special_tokens"] = config.pop("extra_special_tokens")
    template = template or config.get("chat_template")
    if template:
        config["chat_template"] = without_markers(at_once(template)) if isinstance(template, str) else template
    return config


def at_once(template: str) -> str:
    """The template with thinking aloud switched off, as in training: no server is told so with every call."""
    if "enable_thinking" not in template or template.startswith(AT_ONCE):
        return template
    return AT_ONCE + template


def without_markers(template: str) -> str:
    """The template without the tags that mark what is learned: servers other than transformers do not know them.

    Something that is always true stands in for each, so that whitespace falls as it did. The file beside the config,
    which training reads, keeps its markers.
    """
    return MARKERS.sub(lambda tag: f"{tag[1]}{'endif' if tag[2] else 'if true'}{tag[3]}", template)


def _template(path: Path) -> str | None:
    if not path.exists():
        return None
    text = path.read_text()
    if at_once(text) != text:
        write_atomically(path, at_once(text).encode())
    return at_once(text)


def _with_end_list(found: dict[str, Any], *fallbacks: int | list[int] | None) -> dict[str, Any]:
    """TGI stops at the ids of generation_config.json, so they are a list and never missing."""
    for ends in (found.get("eos_token_id"), *fallbacks):
        if ends is not None:
            return {**found, "eos_token_id": ends if isinstance(ends, list) else [ends]}
    return found


def _token_id(folder: Path, token: str | dict[str, Any] | None) -> int | None:
    text = token.get("content") if isinstance(token, dict) else token
    added = _read(folder / "tokenizer.json").get("added_tokens") or []
    return next((int(entry["id"]) for entry in added if entry["content"] == text), None)


def _edit(path: Path, change: Any, create: bool = False) -> dict[str, Any]:
    found = _read(path)
    if not found and not create:
        return {}
    changed: dict[str, Any] = change(found)
    if changed != found:
        write_atomically(path, json.dumps(changed, indent=2, ensure_ascii=False).encode())
    return changed


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        make_portable(Path(argument))

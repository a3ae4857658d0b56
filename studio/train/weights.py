"""Reading facts out of a base model's files without loading it: size, tokenizer, chat template."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from storage.artifacts import Artifacts
from storage.tables import Model
from studio.errors import NotFound
from studio.train.shape import ModelShape


@dataclass(frozen=True)
class Endings:
    """What a base's answers end with."""

    eos: str
    """The tokenizer's own end of text; what a template's `eos_token` writes."""
    stops: tuple[str, ...]
    """Every token at which a server stops, as text."""


def shape_of(artifacts: Artifacts, base: Model) -> ModelShape:
    """The base's size, from its config.json or, before a Hub model is here, from the menu."""
    config = _json(artifacts, base.digest, "config.json") if base.digest else base.facts.get("config")
    if not config:
        raise NotFound(f"The files of “{base.name}” are gone. Restore the artifact folder, or choose another base.")
    return ModelShape.of_config(config)


def tokenizer_of(artifacts: Artifacts, base: Model) -> Any | None:
    """The base's tokenizer (the `tokenizers` library's), or None while the model is not here yet."""
    text = file_text(artifacts, base.digest, "tokenizer.json")
    return _tokenizer(base.digest, text) if text else None


def template_of(artifacts: Artifacts, base: Model) -> str | None:
    """The chat template; "" when the model has none, None while the model is not here yet."""
    if not base.digest:
        return None
    beside = file_text(artifacts, base.digest, "chat_template.jinja")
    inline = _json(artifacts, base.digest, "tokenizer_config.json").get("chat_template")
    return beside or (inline if isinstance(inline, str) else "")


def endings_of(artifacts: Artifacts, base: Model) -> Endings | None:
    """What the base ends an answer with and what a server stops at; None while the model is not here yet."""
    if not base.digest:
        return None
    eos = _text(_json(artifacts, base.digest, "tokenizer_config.json").get("eos_token"))
    ids = _json(artifacts, base.digest, "generation_config.json").get("eos_token_id")
    named = _special_tokens(artifacts, base)
    wanted = ids if isinstance(ids, list) else [ids] if ids is not None else []
    stops = [named[token] for token in wanted if token in named] or ([eos] if eos else [])
    return Endings(eos, tuple(dict.fromkeys(stops)))


def file_text(artifacts: Artifacts, digest: str, name: str) -> str:
    """The text of one file of an artifact, "" when it is not there."""
    if not digest or not artifacts.exists(digest) or name not in artifacts.manifest(digest)["files"]:
        return ""
    with artifacts.open_file(digest, name) as stream:
        return stream.read().decode()


def _json(artifacts: Artifacts, digest: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file_text(artifacts, digest, name) or "{}")
    return found


def _special_tokens(artifacts: Artifacts, base: Model) -> dict[int, str]:
    added = _json(artifacts, base.digest, "tokenizer.json").get("added_tokens") or []
    return {int(entry["id"]): str(entry["content"]) for entry in added}


def _text(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")


@lru_cache(maxsize=4)
def _tokenizer(_digest: str, text: str) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(text)

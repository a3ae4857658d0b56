"""Reading facts out of a base model's files without loading it: size, tokenizer, chat template."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from storage.artifacts import Artifacts
from storage.tables import Model
from studio.errors import NotFound
from studio.train.shape import ModelShape


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
    inline = _json(artifacts, base.digest, "tokenizer_config.json").get("chat_template")
    found = inline if isinstance(inline, str) else file_text(artifacts, base.digest, "chat_template.jinja")
    return found or ""


def file_text(artifacts: Artifacts, digest: str, name: str) -> str:
    """The text of one file of an artifact, "" when it is not there."""
    if not digest or not artifacts.exists(digest) or name not in artifacts.manifest(digest)["files"]:
        return ""
    with artifacts.open_file(digest, name) as stream:
        return stream.read().decode()


def _json(artifacts: Artifacts, digest: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file_text(artifacts, digest, name) or "{}")
    return found


@lru_cache(maxsize=4)
def _tokenizer(_digest: str, text: str) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_str(text)

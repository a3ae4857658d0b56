"""Which dialect a server speaks, by asking it: TGI tells /info, vLLM shows its prompts, others have OpenAI's routes."""

from __future__ import annotations

from dataclasses import dataclass

from studio.deploy.targets.asking import Asker, checked

DIALECTS = ("tgi", "vllm", "openai")


@dataclass(frozen=True)
class Told:
    """What a server told about itself."""

    dialect: str
    software: str
    """Its name and version, as far as it tells."""
    models: tuple[str, ...]


def told_by(server: Asker) -> Told:
    """Ask /info, /v1/models and /version. Raises Unavailable or Conflict."""
    names = tuple(server.models())
    info = server.get("/info").json()
    if isinstance(info, dict) and "model_id" in info and "model_type" not in info:  # embedders tell a type
        model = str(info["model_id"])
        return Told("tgi", f"TGI {info.get('version', '')}".strip(), tuple(dict.fromkeys((*names, model))))
    if _shows_tokens(server, names):
        version = server.get("/version").json()
        number = version.get("version", "") if isinstance(version, dict) else ""
        return Told("vllm", f"vLLM {number}".strip(), names)
    return Told("openai", "An OpenAI-compatible server", names)


def _shows_tokens(server: Asker, names: tuple[str, ...]) -> bool:
    """vLLM answers /tokenize for a model it serves with a count of tokens; no other server does."""
    if not names:
        return False
    found = server.post("/tokenize", {"model": names[0], "prompt": "a"}).json()
    return isinstance(found, dict) and "count" in found and "max_model_len" in found


def key_is_needed(server: Asker) -> bool:
    """Whether the list of models is refused without a key."""
    answer = server.get("/v1/models", keyless=True)
    if answer.status in (401, 403):
        return True
    checked(answer, server.url)
    return False

"""Training at a company: one port, an adapter per company, all of them against recorded contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from studio.errors import InvalidInput
from studio.train.hosted.bedrock import Bedrock
from studio.train.hosted.fireworks import Fireworks
from studio.train.hosted.openai import OpenAI
from studio.train.hosted.port import HostedResult, HostedSpec, HostedStatus, HostedTrainer, Price
from studio.train.hosted.together import Together

Maker = Callable[[str, str, dict[str, Any]], HostedTrainer]
TRAINERS: dict[str, Maker] = {
    Together.kind: Together,
    Fireworks.kind: Fireworks,
    OpenAI.kind: OpenAI,
    Bedrock.kind: Bedrock,
}


def hosted_trainer(kind: str, url: str, key: str, options: dict[str, Any] | None = None) -> HostedTrainer:
    """The trainer of this kind; an empty `url` means the company's own. Raises InvalidInput for an unknown kind."""
    maker = TRAINERS.get(kind)
    if maker is None:
        raise InvalidInput(f"There is no hosted trainer {kind!r}. Choose among: {', '.join(TRAINERS)}.")
    return maker(url, key, options or {})


__all__ = [
    "TRAINERS",
    "HostedResult",
    "HostedSpec",
    "HostedStatus",
    "HostedTrainer",
    "Price",
    "hosted_trainer",
]

"""Which chat template a base speaks, in the words of tools that name templates instead of reading the base's own.

The wrong one trains without any error, and the model then repeats itself or never stops.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio.train.takeaway.port import Base


@dataclass(frozen=True)
class Family:
    """Bases that share a chat template."""

    markup: str
    """chatml, llama3 ... : what stands around a message."""
    llama_factory: str
    """LLaMA-Factory's name of it."""
    thinks: bool = False
    """The template writes a block for thoughts; we train with it empty."""
    note: str = ""
    """What LLaMA-Factory does differently from the base's own template."""


DATES = "The base's own template also writes the date into the system message; LLaMA-Factory's does not."
BY_NAME: tuple[tuple[str, Family], ...] = (
    (r"deepseek|vision|-vl-", Family("", "")),
    (r"qwen-?3(?!\.).*(instruct-2507)", Family("chatml", "qwen3_nothink")),
    (r"qwen-?3(?!\.)(?!.*(coder|vl|omni|next|embedding|reranker))", Family("chatml", "qwen3", thinks=True)),
    (r"qwen-?2(\.5)?-(?!.*(vl|audio|omni))", Family("chatml", "qwen")),
    (r"smollm2-", Family("chatml", "smollm2")),
    (r"smollm-", Family("chatml", "smollm")),
    (r"llama-3\.[23]-|llama-3\.1-", Family("llama3", "llama3", note=DATES)),
    (r"meta-llama-3-|llama-3-", Family("llama3", "llama3")),
    (r"gemma-3-(1b|270m)", Family("gemma", "gemma2")),
    (r"gemma-3-", Family("gemma", "gemma3")),
    (r"gemma-2-", Family("gemma", "gemma2")),
    (r"phi-4-mini", Family("phi", "phi4_mini")),
    (r"phi-4", Family("phi", "phi4")),
    (r"mistral-small", Family("mistral", "mistral_small")),
    (r"mistral-7b-instruct", Family("mistral", "mistral")),
)
BY_MARKUP: tuple[tuple[str, Family], ...] = (
    ("<|start_header_id|>", Family("llama3", "llama3")),
    ("<start_of_turn>", Family("gemma", "")),
    ("<|im_start|>", Family("chatml", "chatml")),
    ("[INST]", Family("mistral", "")),
)
UNKNOWN = Family("", "")


def family_of(base: Base) -> Family:
    """The base's family by its name on the Hub, else by the markup of its own template."""
    name = base.hub_id.rpartition("/")[2].lower()
    for pattern, family in BY_NAME:
        if name and re.search(pattern, name):
            return family
    return next((family for mark, family in BY_MARKUP if mark in base.template), UNKNOWN)

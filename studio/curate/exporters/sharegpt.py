"""ShareGPT JSONL as LLaMA-Factory and Axolotl read it; rows with tool calls are left to the OpenAI format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

from studio.curate.exporters import write_lines
from studio.curate.snapshot import Row

SPEAKERS = {"user": "human", "assistant": "gpt"}


class ShareGpt:
    """Conversations with a separate system text."""

    label = "ShareGPT JSONL (LLaMA-Factory, Axolotl)"
    suffix = ".sharegpt.jsonl"

    def write(self, rows: Iterable[Row], target: BinaryIO) -> int:
        """Write one line per plain-text row and return how many."""
        return write_lines(filter(None, map(_line, rows)), target)


def _line(row: Row) -> dict[str, Any] | None:
    turns = [message for message in row.conversation if message.get("role") != "system"]
    if any(message.get("role") not in SPEAKERS or not isinstance(message.get("content"), str) for message in turns):
        return None
    system = "\n".join(str(message.get("content", "")) for message in row.messages if message.get("role") == "system")
    spoken = [{"from": SPEAKERS[message["role"]], "value": message["content"]} for message in turns]
    return {"conversations": spoken, "system": system}

"""Metadata only: a call's bodies without their texts; tokens, model and why it ended are still read from them."""

from __future__ import annotations

from typing import Any

from studio.capture.privacy.bodies import DATA, dumped, parsed
from studio.capture.privacy.scrub import PLAIN

KEPT = (PLAIN | {"id", "response_id", "usage"}) - {"format", "detail"}
"""Fields whose words are facts; every other text goes."""
REQUEST = frozenset({
    "model", "stream", "temperature", "top_p", "top_k", "n", "max_tokens", "max_completion_tokens", "seed",
    "max_output_tokens", "logprobs", "top_logprobs", "presence_penalty", "frequency_penalty", "dimensions",
    "parallel_tool_calls", "store", "background", "encoding_format", "service_tier", "reasoning_effort",
})  # fmt: skip
ERROR = "The text of the error is not recorded: this project records facts only."


def request_facts(body: bytes) -> bytes:
    """The settings of a request that are numbers, switches or names of the protocol."""
    value = parsed(body)
    if not isinstance(value, dict):
        return b""
    return dumped({name: item for name, item in value.items() if name in REQUEST and not isinstance(item, dict | list)})


def reply_facts(body: bytes, sse: bool) -> bytes:
    """The answer with every text emptied; a stream keeps its events."""
    if not sse:
        value = parsed(body)
        return b"" if value is None else dumped(_emptied(value))
    lines = []
    for line in body.split(b"\n"):
        if line.startswith(DATA) and (value := parsed(line[len(DATA) :])) is not None:
            lines.append(b"data: " + dumped(_emptied(value)))
        elif line.startswith(b"event:") or line.strip() in (b"", b"data: [DONE]", b"data:[DONE]"):
            lines.append(line)
    return b"\n".join(lines)


def _emptied(value: Any) -> Any:
    """Empty every text but facts, drop lists of texts and what a model made up the fields of; in place."""
    waiting = [value]
    while waiting:
        node = waiting.pop()
        for name, item in list(node.items()) if isinstance(node, dict) else list(enumerate(node)):
            if isinstance(item, str) and name not in KEPT:
                node[name] = ""
            elif name in ("logprobs", "input", "error", "embedding", "metadata", "instructions", "tools"):
                node[name] = None
            elif isinstance(item, dict | list):
                waiting.append(item)
    return value

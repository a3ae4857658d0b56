"""OpenAI's embeddings: inputs become messages; of the vectors only their number and size are kept."""

from __future__ import annotations

from typing import Any

from studio.capture.wire.answer import Answer, Asked, Wire
from studio.capture.wire.chat import named_user, read_stream
from studio.capture.wire.completions import prompts
from studio.capture.wire.shapes import as_text, dicts, without

OWN = ("input", "model", "metadata")
FLOAT_BYTES = 4


def read_asked(body: dict[str, Any]) -> Asked:
    """The request."""
    return Asked(
        model=as_text(body.get("model")) or "",
        messages=prompts(body.get("input")),
        params=without(body, *OWN),
        user=named_user(body),
    )


def take_whole(found: dict[str, Any], answer: Answer) -> None:
    """A list of embeddings."""
    vectors = dicts(found.get("data"))
    if vectors:
        size = max(_size(vector.get("embedding")) for vector in vectors)
        answer.message = {
            "role": "assistant",
            "content": None,
            "embeddings": {"vectors": len(vectors), "dimensions": size},
        }
        answer.finish_reason = "stop"


def _size(vector: Any) -> int:
    """How many numbers: a list of them, or base64 of 32-bit floats."""
    if isinstance(vector, list):
        return len(vector)
    return len(vector.rstrip("=")) * 3 // 4 // FLOAT_BYTES if isinstance(vector, str) else 0


EMBEDDINGS = Wire(read_asked, take_whole, read_stream)

"""Every wire format by the name of its endpoint."""

from __future__ import annotations

from typing import Any

from studio.capture.wire.answer import Answer, Asked, Wire, read_whole
from studio.capture.wire.chat import CHAT
from studio.capture.wire.completions import COMPLETIONS
from studio.capture.wire.embeddings import EMBEDDINGS
from studio.capture.wire.messages import MESSAGES
from studio.capture.wire.responses import RESPONSES

WIRES: dict[str, Wire] = {
    "chat": CHAT,
    "completions": COMPLETIONS,
    "embeddings": EMBEDDINGS,
    "responses": RESPONSES,
    "messages": MESSAGES,
}


def read_request(endpoint: str, body: dict[str, Any]) -> Asked:
    """What was asked at this endpoint; an endpoint that nobody knows is read as chat completions."""
    return WIRES.get(endpoint, CHAT).asked(body)


def read_reply(endpoint: str, body: bytes, sse: bool) -> Answer:
    """What was answered, in one piece or as a stream of events; odd bytes make an odd answer, never an error."""
    wire = WIRES.get(endpoint, CHAT)
    return wire.stream(body) if sse else read_whole(body, wire)

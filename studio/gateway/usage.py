"""What an answer cost, read from its bytes without parsing them: cheap enough for every call."""

from __future__ import annotations

from studio.capture.tokens import MOST
from studio.gateway.endpoints.chat import CHAT
from studio.gateway.endpoints.endpoint import Endpoint

EVENT = b"data:"
FRAME_EVENTS = 2
"""Events of a stream that bring no token: the first names the role, the last says [DONE]."""
BYTES_PER_TOKEN = 4


def tokens_told(request: bytes, reply: bytes, sse: bool, endpoint: Endpoint = CHAT) -> tuple[int, int]:
    """Prompt and completion tokens as the server says; a stream that says nothing is counted by its events."""
    at = reply.rfind(b'"usage"')  # inside a JSON string the quotes are escaped, so an answer cannot forge it
    if at >= 0:
        prompt = endpoint.usage.prompt.search(reply, at)
        if prompt is None and sse and (first := reply.find(b'"usage"')) < at:
            prompt = endpoint.usage.prompt.search(reply, first)  # Anthropic tells the prompt's at the stream's start
        completion = endpoint.usage.completion.search(reply, at)
        if prompt:
            return min(int(prompt[1]), MOST), min(int(completion[1]), MOST) if completion else 0
    if not sse:
        return 0, 0
    return len(request) // BYTES_PER_TOKEN, max(reply.count(EVENT) - FRAME_EVENTS, 0)


def has_error(reply: bytes, endpoint: Endpoint = CHAT) -> bool:
    """Whether a stream told an error on its way: the status was 200 already."""
    return any(mark in reply for mark in endpoint.failures)

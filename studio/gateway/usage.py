"""What an answer cost, read from its bytes without parsing them: cheap enough for every call."""

from __future__ import annotations

import re

from studio.gateway.dialects import ERROR_EVENTS

PROMPT = re.compile(rb'"prompt_tokens"\s*:\s*(\d{1,12})')
COMPLETION = re.compile(rb'"completion_tokens"\s*:\s*(\d{1,12})')
EVENT = b"data:"
FRAME_EVENTS = 2
"""Events of a stream that bring no token: the first names the role, the last says [DONE]."""
BYTES_PER_TOKEN = 4


def tokens_told(request: bytes, reply: bytes, sse: bool) -> tuple[int, int]:
    """Prompt and completion tokens as the server says; a stream that says nothing is counted by its events."""
    at = reply.rfind(b'"usage"')  # inside a JSON string the quotes are escaped, so an answer cannot forge it
    if at >= 0 and (prompt := PROMPT.search(reply, at)):
        completion = COMPLETION.search(reply, at)
        return int(prompt[1]), int(completion[1]) if completion else 0
    if not sse:
        return 0, 0
    return len(request) // BYTES_PER_TOKEN, max(reply.count(EVENT) - FRAME_EVENTS, 0)


def has_error(reply: bytes) -> bool:
    """Whether a stream told an error on its way: the status was 200 already."""
    return any(mark in reply for mark in ERROR_EVENTS)

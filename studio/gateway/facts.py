"""What a call's headers say of it: session, trace and tags."""

from __future__ import annotations

import re
from typing import Any

from studio.capture.tags import header_tags
from studio.gateway.http import Request

TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}.*")
"""W3C Trace Context: version, trace, the caller's span, flags."""
LONGEST = 200


def facts_of(request: Request) -> dict[str, Any]:
    """session_id, trace_id and parent_span_id, as far as they are told."""
    facts: dict[str, Any] = {}
    if session := request.header(b"x-session-id"):
        facts["session_id"] = session[:LONGEST]
    if (header := request.header(b"traceparent")) and (found := TRACEPARENT.fullmatch(header)):
        facts["trace_id"], facts["parent_span_id"] = found[1], found[2]
    return facts


def header_tags_of(request: Request) -> dict[str, str]:
    """Tags from headers."""
    header = request.header(b"x-whetstone-tags")
    return header_tags(header) if header else {}

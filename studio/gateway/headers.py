"""Which headers go on: few to the upstream, few back. The caller's key never leaves the gateway."""

from __future__ import annotations

from studio.deploy.router import Route
from studio.gateway.errors import Headers
from studio.gateway.http import Request

SENT_ON = frozenset({b"openai-beta", b"idempotency-key", b"x-request-id", b"x-session-id", b"traceparent"})
SENT_BACK = frozenset({b"content-type", b"retry-after", b"retry-after-ms", b"x-should-retry", b"x-request-id"})
SENT_BACK_PREFIXES = (b"x-ratelimit-", b"openai-")
LOG_ID = b"x-whetstone-log-id"


def to_upstream(request: Request, route: Route, stream: bool) -> Headers:
    """Headers of the upstream request; its key goes to its own address only."""
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"accept", b"text/event-stream" if stream else b"application/json"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", b"whetstone-gateway"),
    ]
    if route.api_key:
        headers.append((b"authorization", b"Bearer " + "".join(route.api_key.split()).encode()))
    return headers + [pair for pair in request.headers if pair[0] in SENT_ON]


def to_caller(upstream: Headers, uid: str) -> Headers:
    """Headers of the answer: what helps a client to wait and to trace, and the id for feedback."""
    kept = [pair for pair in upstream if pair[0] in SENT_BACK or pair[0].startswith(SENT_BACK_PREFIXES)]
    return [*kept, (LOG_ID, uid.encode())]

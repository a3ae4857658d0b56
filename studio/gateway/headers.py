"""Which headers go on: few to the upstream, few back. The caller's key never leaves the gateway."""

from __future__ import annotations

from studio.deploy.router import Route
from studio.gateway.errors import Headers
from studio.gateway.http import Request

SENT_ON = frozenset({b"openai-beta", b"idempotency-key", b"x-request-id", b"x-session-id", b"traceparent"})
SENT_BACK = frozenset({b"content-type", b"retry-after", b"retry-after-ms", b"x-should-retry", b"x-request-id"})
SENT_BACK_PREFIXES = (b"x-ratelimit-", b"openai-")
LOG_ID = b"x-whetstone-log-id"
ROUTE = b"x-whetstone-route"
"""Who answered, as the traffic figures name it: a revision's id, or a model's id for a provider's model."""
SERVED_BY = b"x-whetstone-served-by"
"""The same for people: the name that the server was asked by, as `triage-r3`."""


def to_upstream(request: Request, route: Route, stream: bool) -> Headers:
    """Headers of the upstream request; its key goes to its own address only."""
    return _own(route, stream) + [pair for pair in request.headers if pair[0] in SENT_ON]


def copy_headers(route: Route) -> Headers:
    """Headers of a copy for a shadow: nothing of the caller's."""
    return _own(route, stream=False)


def _own(route: Route, stream: bool) -> Headers:
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"accept", b"text/event-stream" if stream else b"application/json"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", b"whetstone-gateway"),
    ]
    if route.api_key:
        headers.append((b"authorization", b"Bearer " + "".join(route.api_key.split()).encode()))
    return headers


def to_caller(upstream: Headers, uid: str, route: Route | None) -> Headers:
    """Headers of the answer: what helps a client to wait and to trace, the id for feedback, and who answered."""
    kept = [pair for pair in upstream if pair[0] in SENT_BACK or pair[0].startswith(SENT_BACK_PREFIXES)]
    return [*kept, (LOG_ID, uid.encode()), *(answered_by(route) if route else ())]


def answered_by(route: Route) -> Headers:
    """Which of an alias's routes it was."""
    if not route.deployment_id:
        return []
    name = "".join(character for character in route.upstream_model if character.isprintable())
    return [(ROUTE, route.key.encode()), (SERVED_BY, name.encode("latin-1", "replace"))]

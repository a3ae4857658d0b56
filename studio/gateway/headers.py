"""Which headers go on: few to the upstream, few back. The caller's key never leaves the gateway."""

from __future__ import annotations

from studio.deploy.router import Route
from studio.gateway.errors import Headers
from studio.gateway.http import Request

SENT_ON = frozenset({b"idempotency-key", b"x-request-id", b"x-session-id", b"traceparent"})
SENT_TO = {"openai": SENT_ON | {b"openai-beta"}, "anthropic": SENT_ON | {b"anthropic-beta", b"anthropic-version"}}
"""By how the server is spoken to."""
ANTHROPIC_VERSION: tuple[bytes, bytes] = (b"anthropic-version", b"2023-06-01")
SENT_BACK = frozenset({b"content-type", b"retry-after", b"retry-after-ms", b"x-should-retry", b"x-request-id"})
SENT_BACK |= {b"request-id", b"anthropic-organization-id"}
SENT_BACK_PREFIXES = (b"x-ratelimit-", b"openai-", b"anthropic-ratelimit-")
NOT_LIMITS = (b"openai-",)
LOG_ID = b"x-whetstone-log-id"
ROUTE = b"x-whetstone-route"
"""Who answered, as the traffic figures name it: a revision's id, or a model's id for a provider's model."""
SERVED_BY = b"x-whetstone-served-by"
"""The same for people: the name that the server was asked by, as `triage-r3`."""


def to_upstream(request: Request, route: Route, stream: bool) -> Headers:
    """Headers of the upstream request; its key goes to its own address only."""
    sent_on = SENT_TO[route.kind]
    headers = _own(route, stream) + [pair for pair in request.headers if pair[0] in sent_on]
    if route.kind == "anthropic" and not request.header(ANTHROPIC_VERSION[0]):
        headers.append(ANTHROPIC_VERSION)
    return headers


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
        key = "".join(route.api_key.split()).encode()
        headers.append((b"x-api-key", key) if route.kind == "anthropic" else (b"authorization", b"Bearer " + key))
    return headers


def to_caller(upstream: Headers, uid: str, route: Route | None, limits: Headers | None = None) -> Headers:
    """Headers of the answer: what helps a client to wait and to trace, the id for feedback, and who answered.

    Limits of the caller's own key take the place of those that the provider tells the studio.
    """
    prefixes = SENT_BACK_PREFIXES if not limits else NOT_LIMITS
    kept = [pair for pair in upstream if pair[0] in SENT_BACK or pair[0].startswith(prefixes)]
    return [*kept, *(limits or ()), (LOG_ID, uid.encode()), *(answered_by(route) if route else ())]


def answered_by(route: Route) -> Headers:
    """Which of an alias's routes it was."""
    if not route.deployment_id:
        return []
    name = "".join(character for character in route.upstream_model if character.isprintable())
    return [(ROUTE, route.key.encode()), (SERVED_BY, name.encode("latin-1", "replace"))]

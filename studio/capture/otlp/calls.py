"""From the spans of one export to the calls that they tell of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from studio.capture.otlp.content import below, first, parsed, text
from studio.capture.otlp.genai import read_genai
from studio.capture.otlp.langfuse import read_langfuse
from studio.capture.otlp.llm import LlmSpan
from studio.capture.otlp.openinference import read_openinference
from studio.capture.otlp.span import Span
from studio.capture.otlp.vercel import is_around_calls, read_vercel
from studio.capture.reported import Reported

CONVENTIONS: tuple[Callable[[Span], LlmSpan | None], ...] = (
    read_langfuse,
    read_openinference,
    read_vercel,
    read_genai,
)
SOURCE = "otlp"
SESSION = (
    *("session.id", "gen_ai.conversation.id", "langfuse.session.id", "traceloop.association.properties.session_id"),
    *("ai.telemetry.metadata.sessionId", "ai.telemetry.metadata.session_id"),
)
USER = (
    *("user.id", "enduser.id", "langfuse.user.id", "traceloop.association.properties.user_id"),
    *("ai.telemetry.metadata.userId", "ai.telemetry.metadata.user_id"),
)
NAMED_TAGS = {
    "service.name": "service",
    "deployment.environment.name": "environment",
    "deployment.environment": "environment",
    "langfuse.environment": "environment",
    "langfuse.trace.name": "trace_name",
    "langfuse.release": "release",
    "langfuse.observation.prompt.name": "prompt_name",
    "langfuse.observation.prompt.version": "prompt_version",
    "traceloop.workflow.name": "workflow",
    "traceloop.entity.name": "task",
    "gen_ai.agent.name": "agent",
    "ai.telemetry.functionId": "function",
    "ai.model.provider": "provider",
}
TAG_GROUPS = (
    *("langfuse.trace.metadata", "langfuse.observation.metadata", "traceloop.association.properties"),
    "ai.telemetry.metadata",
)
TAG_OBJECTS = ("metadata", "langfuse.trace.metadata", "langfuse.observation.metadata")
TAG_LISTS = ("langfuse.trace.tags", "tag.tags", "langfuse.tags")
UNKNOWN_SERVICE = "unknown_service"


def calls_of(spans: list[Span]) -> list[Reported]:
    """The calls among these spans.

    A span that is no call (an agent, a tool, a chain) is not logged; what it says of user, session and tags goes to
    the calls below it, and feedback that names it finds them by their trace. Where one call is told twice, by a
    framework and by the client under it, the inner one counts.
    """
    read = [(span, found) for span in spans if (found := read_span(span)) is not None]
    known = {span.span_id: span for span in spans if span.span_id}
    outer = {parent.span_id for span, _ in read for parent in _above(span, known)}
    return [_call(span, found, known) for span, found in read if span.span_id not in outer]


def read_span(span: Span) -> LlmSpan | None:
    """The call that a span tells of, by the first convention that knows it."""
    if is_around_calls(span):
        return None
    for convention in CONVENTIONS:
        if (found := convention(span)) is not None:
            return found
    return None


def _above(span: Span, known: dict[str, Span]) -> list[Span]:
    """The spans around it in this export, nearest first."""
    found: list[Span] = []
    while (parent := known.get(span.parent_id)) is not None and parent not in found and len(found) < 100:
        found.append(parent)
        span = parent
    return found


def _call(span: Span, found: LlmSpan, known: dict[str, Span]) -> Reported:
    around = [span, *_above(span, known)]
    taken = max(span.end_ns - span.start_ns, 0) / 1e6 if span.end_ns else 0.0
    waited = (found.first_token_ns - span.start_ns) / 1e6 if found.first_token_ns else None
    error = _error(span) if span.failed else None
    return Reported(
        source=SOURCE,
        request=found.request(),
        response=None if error else found.response(),
        endpoint=found.endpoint,
        same=span.same,
        at=span.start_ns / 1e9 if span.start_ns else None,
        latency_ms=taken,
        first_token_ms=waited if waited is None or waited >= 0 else None,
        status="error" if error else "ok",
        http_status=_http_status(span),
        error=error,
        stream=found.stream,
        tags=_tags(around) | found.tags,
        external_id=found.response_id,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_id or None,
        session_id=_nearest(around, SESSION),
        user_id=_nearest(around, USER),
        prompt_tokens=found.prompt_tokens,
        completion_tokens=found.completion_tokens,
        cost_usd=found.cost_usd,
    )


def _nearest(around: Iterable[Span], names: tuple[str, ...]) -> str | None:
    told = (first(span.attributes, *names) for span in around)
    return next((text(value) for value in told if value is not None), None)


def _tags(around: list[Span]) -> dict[str, Any]:
    """Outer spans first, so that what is said nearer wins."""
    tags: dict[str, Any] = {}
    for span in reversed(around):
        told = {**span.resource, **span.attributes}
        tags |= {tag: told[name] for name, tag in NAMED_TAGS.items() if told.get(name)}
        for prefix in TAG_GROUPS:
            tags |= {name: parsed(value) for name, value in below(told, prefix).items()}
        for name in TAG_OBJECTS:
            found = parsed(told.get(name))
            tags |= found if isinstance(found, dict) else {}
        for name in TAG_LISTS:
            found = parsed(told.get(name))
            tags |= {text(tag): "true" for tag in found} if isinstance(found, list) else {}
    if text(tags.get("service")).startswith(UNKNOWN_SERVICE):
        del tags["service"]
    tags.pop("finish_reason", None)  # Langfuse's SDK puts it there; the call has it as its own
    return {name: value if isinstance(value, str | int | float) else text(value) for name, value in tags.items()}


def _error(span: Span) -> str:
    thrown = next((event.attributes for event in span.events if event.name == "exception"), {})
    told = first(thrown, "exception.message", "exception.type") or first(span.attributes, "error.message", "error.type")
    level = first(span.attributes, "langfuse.observation.status_message")
    return text(span.status_message or told or level) or "The call failed; its span does not say why."


def _http_status(span: Span) -> int:
    found = first(span.attributes, "http.response.status_code", "http.status_code", "error.code")
    if isinstance(found, int) and not isinstance(found, bool) and 100 <= found <= 599:
        return found
    return 500 if span.failed else 200
